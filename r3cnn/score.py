"""Score predictions: COCO's twelve metrics of boxes and of masks, and their spread over images."""

import contextlib
import io
import json
import logging
from collections.abc import Sequence
from pathlib import Path

import hotcoco
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from .bootstrap import METRICS, draw, resampled_metrics, write_resamples
from .data.annotations import read as read_annotations
from .errors import UserError
from .files import write_json
from .matching import matches, runs

log = logging.getLogger(__name__)
TOLERANCE = 1e-12
CHECKED_SCALE = "paper"  # where pycocotools scores too


def score(predictions: Path, loops: int, annotations: Path, out: Path) -> None:
    """Write the metrics of one L_e (0 to 1; null where there is no such object) and their provenance.

    Beside `out` stands <out's stem>.bootstrap.parquet: the same metrics on resampled images.
    """
    table, facts = read_predictions(predictions, loops)
    content, checksum = read_annotations(annotations, whole=True)
    made_for = (facts.get("data") or {}).get("val_sha256")
    if made_for and made_for != checksum:
        raise UserError(
            f"{annotations}: sha256 {checksum[:12]}..., but {predictions} was made for {made_for[:12]}...; "
            "score it against the annotations it was made for, or predict again"
        )
    images = len({one["id"] for one in content["images"]})
    weights, resampled = draw(images), {}
    result = {"training": facts["training"], "loops": loops, "seed": facts["seed"]}
    for kind in ("bbox", "segm"):
        result[kind] = hotcoco_metrics(content, table, kind)
        matched = matches(content, table, kind)
        once = resampled_metrics(matched, np.ones((images, 1), dtype=np.int32))
        own = {name: _or_none(values[0]) for name, values in once.items()}
        require_equal(result[kind], own, kind, "the matches of the bootstrap")
        if facts.get("scale") == CHECKED_SCALE:
            reference = pycocotools_metrics(content, table, kind)
            require_equal(result[kind], reference, kind, "pycocotools")
        spread = resampled_metrics(matched, weights)
        resampled |= {f"{kind}.{name}": values for name, values in spread.items()}
    result["images"] = images
    result["provenance"] = {**facts, "annotations_sha256": checksum}
    identity = {"training": facts["training"], "loops": loops, "seed": facts["seed"]}
    of_data = {"annotations_sha256": checksum, "source_sha256": facts["source_sha256"]}
    write_resamples(resamples_file(out), resampled, identity | of_data, images)
    write_json(out, result)
    log.info("%s, L_e = %d: box AP %s, mask AP %s", facts["training"], loops, *(
        result[kind]["AP"] for kind in ("bbox", "segm")
    ))  # fmt: skip


def read_predictions(path: Path, loops: int) -> tuple[pa.Table, dict]:
    """The detections of one L_e and the facts about the run. Raises UserError for a file that is not one."""
    if not path.is_file():
        raise UserError(f"{path}: no such predictions file; run `python -m r3cnn predict`")
    try:
        table = pq.read_table(path, filters=[("loops", "=", loops)])
        facts = json.loads(table.schema.metadata[b"r3cnn"])
    except (pa.ArrowInvalid, KeyError, TypeError, OSError) as error:
        raise UserError(f"{path}: not a predictions file ({error}); predict again") from error
    if loops not in facts["loops"]:
        raise UserError(
            f"{path}: loops {loops}: holds {facts['loops']}; predict with --loops {loops}"
        )
    return table, facts


def resamples_file(score_file: Path) -> Path:
    """The file of the resampled metrics that stands beside a score."""
    return score_file.with_name(f"{score_file.stem}.bootstrap.parquet")


def hotcoco_metrics(content: dict, table: pa.Table, kind: str) -> dict[str, float | None]:
    """The twelve numbers by hotcoco, which gives pycocotools' in a fraction of its time.

    content: COCO annotations; kind: "bbox" or "segm"; None where there is no such object.
    """
    # a dataset that is made so has nothing to read, and says nothing
    truth = hotcoco.COCO({key: content[key] for key in ("images", "categories", "annotations")})
    columns = {
        name: table.column(name).to_numpy() for name in table.column_names if name != "mask_counts"
    }
    if kind == "bbox":
        names = ("image_id", "x", "y", "width", "height", "score", "category_id")
        found = truth.load_res(np.stack([columns[name] for name in names], 1).astype(float))
    else:  # without boxes: an area is then the mask's
        names = ("image_id", "category_id", "mask_score")
        rows = zip(*(columns[name].tolist() for name in names), runs(table), strict=True)
        keys = ("image_id", "category_id", "score", "segmentation")
        found = truth.load_res([dict(zip(keys, row, strict=True)) for row in rows])
    with contextlib.redirect_stdout(io.StringIO()):
        run = hotcoco.COCOeval(truth, found, kind)
        run.run()
    return _named(run.stats)


def pycocotools_metrics(content: dict, table: pa.Table, kind: str) -> dict[str, float | None]:
    """The twelve numbers by pycocotools itself."""
    truth = COCO()
    truth.dataset = content
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        run = COCOeval(truth, detections(truth, table, kind), kind)
        run.evaluate()
        run.accumulate()
        run.summarize()
    return _named(run.stats)


def require_equal(found: dict, other: dict, kind: str, source: str) -> None:
    """Raise UserError where two ways of scoring disagree by more than 1e-12."""
    for name in METRICS:
        one, two = found[name], other[name]
        if (one is None) != (two is None) or (one is not None and abs(one - two) > TOLERANCE):
            raise UserError(
                f"{kind} {name}: hotcoco gives {one}, {source} {two}; nothing is written. Two ways of scoring "
                "must agree: please report it with the annotations and predictions"
            )


def _named(stats: Sequence[float]) -> dict[str, float | None]:
    return {
        name: None if value == -1 else float(value)
        for name, value in zip(METRICS, stats, strict=True)
    }


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def detections(truth: COCO, table: pa.Table, kind: str) -> COCO:
    """The detections as pycocotools wants them; none at all are fine, and so is a file without `info`."""
    columns = {
        name: table.column(name).to_pylist() for name in table.column_names if name != "mask_counts"
    }
    masks = runs(table) if kind == "segm" else []
    scores = columns["mask_score" if kind == "segm" else "score"]
    found = COCO()
    annotations = []
    for i, number in enumerate(scores):
        item = {
            "id": i + 1,
            "image_id": columns["image_id"][i],
            "category_id": columns["category_id"][i],
            "score": number,
            "iscrowd": 0,
        }
        if kind == "bbox":
            box = [columns[name][i] for name in ("x", "y", "width", "height")]
            item.update(bbox=box, area=box[2] * box[3])
        else:
            # one by one: pycocotools 2.0.11 overflows on a list of more than 255 under numpy 2
            item.update(segmentation=masks[i], area=int(rle.area(masks[i])))
        annotations.append(item)
    found.dataset = {
        "images": truth.dataset["images"],
        "categories": truth.dataset["categories"],
        "annotations": annotations,
    }
    found.createIndex()
    return found
