"""Score predictions: the metrics of boxes and of masks, and their spread over images."""

import logging
from pathlib import Path

import numpy as np

from ..core.errors import UserError
from ..core.files import write_json
from ..core.layout import errors_of, resamples_of
from ..core.records import CONFUSION_SCORE, KINDS
from ..core.source_hash import source_hash
from ..data.annotations import read as read_annotations
from ..data.content import require_sound
from .bootstrap import draw, metrics_by_box_area, resampled_metrics, write_resamples
from .errors import class_names, what_went_wrong
from .matching import matches
from .metrics import hotcoco_run, numbers_of, pycocotools_metrics, require_equal
from .predictions import read_predictions, require_known

log = logging.getLogger(__name__)
CHECKED_SCALE = "paper"  # where pycocotools scores too


def score(predictions: Path, loops: int, annotations: Path, out: Path) -> None:
    """Write the metrics of one L_e (0 to 1; null where there is no such object) and their provenance.

    Beside `out` stand <out's stem>.bootstrap.parquet: the same metrics on resampled images, and
    <out's stem>.errors.json: what went wrong, by kind and by class.
    """
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
    images = len(content["images"])
    weights, resampled = draw(images), {}
    identity = {"training": facts["training"], "loops": loops, "seed": facts["seed"]}
    result = dict(identity)
    wrong = {**identity, "classes": class_names(content), "confusion_score": CONFUSION_SCORE}
    for kind in KINDS:
        run = hotcoco_run(content, table, kind)
        result[kind], wrong[kind] = numbers_of(run), what_went_wrong(run, content, table, kind)
        matched = matches(content, table, kind)
        once = resampled_metrics(matched, np.ones((images, 1), dtype=np.int32))
        by_box = metrics_by_box_area(matched, images)
        result[kind] |= {name: _or_none(values[0]) for name, values in by_box.items()}
        own = {name: _or_none(values[0]) for name, values in once.items()}
        require_equal(result[kind], own, kind, "the matches of the bootstrap")
        if facts.get("scale") == CHECKED_SCALE:
            reference = pycocotools_metrics(content, table, kind, by_box_area=True)
            require_equal(result[kind], reference, kind, "pycocotools")
        spread = resampled_metrics(matched, weights)
        resampled |= {f"{kind}.{name}": values for name, values in spread.items()}
    result["images"] = images
    result["provenance"] = {
        **facts,
        "annotations_sha256": checksum,
        "scoring_sha256": source_hash("scoring"),
    }
    of_data = {"annotations_sha256": checksum, "source_sha256": facts["source_sha256"]}
    write_resamples(resamples_of(out), resampled, identity | of_data, images)
    write_json(errors_of(out), wrong, indent=None)
    write_json(out, result)
    log.info("%s, L_e = %d: box AP %s, mask AP %s", facts["training"], loops, *(
        result[kind]["AP"] for kind in KINDS
    ))  # fmt: skip


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
