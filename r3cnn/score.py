"""Score predictions with pycocotools: the twelve COCO metrics of boxes and of masks, and their spread."""

import contextlib
import io
import json
import logging
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from .bootstrap import METRICS, draw, resampled_metrics, write_resamples
from .data.annotations import read as read_annotations
from .errors import UserError
from .files import write_json

log = logging.getLogger(__name__)


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
    truth = COCO()
    truth.dataset = content
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
    result = {"training": facts["training"], "loops": loops, "seed": facts["seed"]}
    weights, resampled = draw(len(truth.imgs)), {}
    for kind in ("bbox", "segm"):
        run = evaluated(truth, table, kind)
        result[kind] = summarised(run)
        spread = resampled_metrics(run, weights)
        resampled |= {f"{kind}.{name}": values for name, values in spread.items()}
    result["images"] = len(truth.imgs)
    result["provenance"] = {**facts, "annotations_sha256": checksum}
    identity = {"training": facts["training"], "loops": loops, "seed": facts["seed"]}
    of_data = {"annotations_sha256": checksum, "source_sha256": facts["source_sha256"]}
    write_resamples(resamples_file(out), resampled, identity | of_data, list(truth.imgs))
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


def evaluated(truth: COCO, table: pa.Table, kind: str) -> COCOeval:
    """pycocotools' matches of detections and objects, of `kind` ("bbox" or "segm")."""
    with contextlib.redirect_stdout(io.StringIO()):
        run = COCOeval(truth, detections(truth, table, kind), kind)
        run.evaluate()
    return run


def summarised(run: COCOeval) -> dict[str, float | None]:
    """pycocotools' twelve numbers of what was matched."""
    with contextlib.redirect_stdout(io.StringIO()):
        run.accumulate()
        run.summarize()
    return {
        name: None if value == -1 else float(value)
        for name, value in zip(METRICS, run.stats, strict=True)
    }


def detections(truth: COCO, table: pa.Table, kind: str) -> COCO:
    """The detections as pycocotools wants them; none at all are fine, and so is a file without `info`."""
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
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
            code = {
                "size": [columns["mask_height"][i], columns["mask_width"][i]],
                "counts": columns["mask_counts"][i],
            }
            # one by one: pycocotools 2.0.11 overflows on a list of more than 255 under numpy 2
            item.update(segmentation=code, area=int(rle.area(code)))
        annotations.append(item)
    found.dataset = {
        "images": truth.dataset["images"],
        "categories": truth.dataset["categories"],
        "annotations": annotations,
    }
    found.createIndex()
    return found
