"""Score predictions: the metrics of boxes and of masks, and their spread over images."""

import logging
from collections.abc import Sequence
from pathlib import Path

import hotcoco
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.errors import UserError
from ..core.files import sha256_of, write_json
from ..core.layout import errors_of, resamples_of
from ..core.records import CONFUSION_SCORE, KINDS, SCORED, KindErrors
from ..core.source_hash import source_hash
from ..data.annotations import read as read_annotations
from ..data.content import require_sound
from .bootstrap import Matches, draw, metrics_by_box_area, resampled_metrics, write_resamples
from .coco_results import read_results
from .errors import class_names, what_went_wrong
from .matching import matches
from .metrics import hotcoco_run, numbers_of, pycocotools_metrics, require_equal
from .predictions import read_predictions, require_known
from .side_by_side import PROCESSES, side_by_side

log = logging.getLogger(__name__)
JSON = ".json"  # of COCO's results; what predict writes is Parquet
CHECKED_SCALE = "paper"  # where pycocotools scores too,
CHECKED_IMAGES = 250  # so many at most: all of COCO's would add minutes to each score
APART_FROM = 1000  # images from which boxes and masks are scored in parallel


def score(
    predictions: Path, loops: int, annotations: Path, out: Path, more: Sequence[Path] = ()
) -> None:
    """Write the metrics of one L_e (0 to 1; null if there is no such object) and their provenance.

    Next to `out` are <out's stem>.bootstrap.parquet: the same metrics on resampled images, and
    <out's stem>.errors.json: what went wrong, by kind and by class. predictions: the file of `predict`, or another
    tool's results in COCO's format (.json); `more`: further files of those.
    """
    tables, facts, content, checksum = _read(predictions, loops, annotations, more)
    images, scale = len(content["images"]), facts.get("scale")
    identity = {"training": facts["training"], "loops": loops, "seed": facts["seed"]}
    found, wrong, resampled = _by_kind(tables, content, scale)
    provenance = {
        **facts,
        **_checked_images(images, scale),
        "annotations_sha256": checksum,
        "scoring_sha256": source_hash("scoring"),
    }
    of_data = {"annotations_sha256": checksum, "source_sha256": facts["source_sha256"]}
    write_resamples(resamples_of(out), resampled, identity | of_data, images)
    about = {"classes": class_names(content), "confusion_score": CONFUSION_SCORE}
    write_json(errors_of(out), identity | about | wrong, indent=None)
    write_json(out, identity | found | {"images": images, "provenance": provenance})
    log.info("%s, L_e = %d: box AP %s, mask AP %s", facts["training"], loops, *(
        found[kind]["AP"] for kind in KINDS
    ))  # fmt: skip


def _by_kind(
    tables: dict[str, pa.Table | None], content: dict, scale: str | None
) -> tuple[dict[str, dict], dict[str, KindErrors | None], dict[str, np.ndarray]]:
    """Metrics and errors of boxes and of masks, and all metrics on resampled images by <kind>.<metric>."""
    there = [kind for kind in reversed(KINDS) if tables[kind] is not None]  # masks take longest
    calls = [(_of_kind, tables[kind], kind, content) for kind in there]
    if scale == CHECKED_SCALE:
        calls += [(_require_pycocotools, *sample(content, tables[kind], kind)) for kind in there]
    done = side_by_side(calls, PROCESSES if len(content["images"]) >= APART_FROM else 1)
    of_kinds = dict(zip(there, done, strict=False))
    found, wrong, resampled = {}, {}, {}
    for kind in KINDS:
        nothing = (dict.fromkeys(SCORED[kind]), None, {})
        found[kind], wrong[kind], spread = of_kinds.get(kind, nothing)
        resampled |= {f"{kind}.{name}": values for name, values in spread.items()}
    return found, wrong, resampled


def _of_kind(
    table: pa.Table, kind: str, content: dict
) -> tuple[dict, KindErrors, dict[str, np.ndarray]]:
    """Metrics, errors and resamples of boxes or of masks."""
    run = hotcoco_run(content, table, kind)
    wrong = what_went_wrong(run, content, table, kind)
    matched = matches(content, table, kind)
    found = _checked(run, matched, kind, len(content["images"]))
    return found, wrong, resampled_metrics(matched, draw(len(content["images"])))


def sample(content: dict, table: pa.Table, kind: str) -> tuple[pa.Table, str, dict]:
    """The detections, their kind and the annotations of CHECKED_IMAGES at most, evenly spread by their ids."""
    ids = sorted(one["id"] for one in content["images"])
    kept = set(ids[:: _every(len(ids))])
    part = {
        **content,
        "images": [one for one in content["images"] if one["id"] in kept],
        "annotations": [one for one in content["annotations"] if one["image_id"] in kept],
    }
    of_kept = pc.is_in(table["image_id"], pa.array(sorted(kept), type=table["image_id"].type))
    return table.filter(of_kept), kind, part


def _read(
    predictions: Path, loops: int, annotations: Path, more: Sequence[Path]
) -> tuple[dict[str, pa.Table | None], dict, dict, str]:
    """Detections by kind, None where another tool has none; facts of their run; annotations and their SHA-256."""
    if predictions.suffix == JSON:
        content, checksum = read_annotations(annotations, whole=True)
        require_sound(annotations, content, scored=True)
        files = [predictions, *more]
        tables = {
            kind: table if len(table) else None
            for kind, table in read_results(files, content).items()
        }
        name = predictions.name.split(".")[0]
        of_files = {"results_sha256": [sha256_of(path) for path in files]}
        return (
            tables,
            {"training": name, "seed": 0, "source_sha256": None, **of_files},
            content,
            checksum,
        )
    if more:
        raise UserError(
            f"{more[0]}: only files of COCO's results (.json) are read together; score it on its own"
        )
    table, facts = read_predictions(predictions, loops)
    content, checksum = read_annotations(annotations, whole=True)
    made_for = (facts.get("data") or {}).get("val_sha256")
    if made_for and made_for != checksum:
        raise UserError(
            f"{annotations}: sha256 {checksum[:12]}..., but {predictions} was made for {made_for[:12]}...; "
            "score it against the annotations it was made for, or predict again"
        )
    require_sound(annotations, content, scored=True)
    require_known(predictions, table, annotations, content)
    return dict.fromkeys(KINDS, table), facts, content, checksum


def _checked(
    run: hotcoco.COCOeval, matched: list[Matches], kind: str, images: int
) -> dict[str, float | None]:
    """All metrics of a kind. Raises UserError where two ways of scoring disagree."""
    by_box = metrics_by_box_area(matched, images)
    found = numbers_of(run) | {name: _or_none(values[0]) for name, values in by_box.items()}
    once = resampled_metrics(matched, np.ones((images, 1), dtype=np.int32))
    own = {name: _or_none(values[0]) for name, values in once.items()}
    require_equal(found, own, kind, "the matches of the bootstrap")
    return found


def _checked_images(images: int, scale: str | None) -> dict[str, int]:
    """How many of the images pycocotools scored too, where it did."""
    return (
        {"pycocotools_images": len(range(images)[:: _every(images)])}
        if scale == CHECKED_SCALE
        else {}
    )


def _every(images: int) -> int:
    return max(1, -(-images // CHECKED_IMAGES))


def _require_pycocotools(table: pa.Table, kind: str, content: dict) -> None:
    """Raise UserError where pycocotools gives other numbers than we do."""
    matched = matches(content, table, kind)
    by_box = metrics_by_box_area(matched, len(content["images"]))
    found = numbers_of(hotcoco_run(content, table, kind))
    found |= {name: _or_none(values[0]) for name, values in by_box.items()}
    reference = pycocotools_metrics(content, table, kind, by_box_area=True)
    require_equal(found, reference, kind, "pycocotools")


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
