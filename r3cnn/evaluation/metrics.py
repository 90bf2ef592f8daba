"""COCO's twelve metrics and AP at each IoU threshold, by hotcoco and by pycocotools."""

import contextlib
import io
from collections.abc import Sequence

import hotcoco
import numpy as np
import pyarrow as pa
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ..core.errors import UserError
from ..core.records import AP_AT_IOU, BY_BOX_AREA, METRICS
from .predictions import runs

TOLERANCE = 1e-12


def hotcoco_metrics(content: dict, table: pa.Table, kind: str) -> dict[str, float | None]:
    """METRICS and AP_AT_IOU by hotcoco, which gives pycocotools' numbers in a fraction of its time.

    content: COCO annotations; kind: "bbox" or "segm"; None if there is no such object.
    """
    return numbers_of(hotcoco_run(content, table, kind))


def numbers_of(run: hotcoco.COCOeval) -> dict[str, float | None]:
    """METRICS and AP_AT_IOU of an evaluation that has run."""
    return _named(run.stats) | _at_each_iou(run)


def hotcoco_run(content: dict, table: pa.Table, kind: str) -> hotcoco.COCOeval:
    """hotcoco's evaluation, which has run; its categories are in the order of their ids."""
    images, categories = ids_of(content["images"]), ids_of(content["categories"])
    # a dataset that is made so has nothing to read, and says nothing
    truth = hotcoco.COCO(_bare(content, images, categories, kind))
    known = np.isin(table.column("image_id").to_numpy(), images)
    known &= np.isin(table.column("category_id").to_numpy(), categories)
    table = table.filter(pa.array(known))
    columns = {
        name: table.column(name).to_numpy() for name in table.column_names if name != "mask_counts"
    }
    columns["image_id"] = np.searchsorted(images, columns["image_id"]) + 1
    columns["category_id"] = np.searchsorted(categories, columns["category_id"]) + 1
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
    return run


def ids_of(entries: Sequence[dict]) -> np.ndarray:
    """The ids of images or categories in rising order, as whole numbers of 64 bits."""
    return np.unique(np.array([one["id"] for one in entries], dtype=np.int64))


def _bare(content: dict, images: np.ndarray, categories: np.ndarray, kind: str) -> dict:
    """What the metric reads of annotations, and nothing else; ids are places in the sorted ids, from 1.

    hotcoco stops at a field of another type than it knows, whether it needs it or not, and at a negative
    id; boxes reach it next to their ids as float64, which has 53 bits.
    """
    sizes = {one["id"]: (one["height"], one["width"]) for one in content["images"]}
    place = {
        name: {int(id_): i for i, id_ in enumerate(ids, 1)}
        for name, ids in (("image_id", images), ("category_id", categories))
    }
    shape = "bbox" if kind == "bbox" else "segmentation"
    return {
        "images": [
            {"id": i, "height": sizes[id_][0], "width": sizes[id_][1]}
            for id_, i in place["image_id"].items()
        ],
        "categories": [{"id": i, "name": str(i)} for i in place["category_id"].values()],
        "annotations": [
            {
                "id": i,
                **{name: place[name][one[name]] for name in place},
                "area": one["area"],
                "iscrowd": int(bool(one.get("iscrowd"))),
                shape: one[shape],
            }
            for i, one in enumerate(content["annotations"], 1)
        ],
    }


def pycocotools_metrics(
    content: dict, table: pa.Table, kind: str, by_box_area: bool = False
) -> dict[str, float | None]:
    """The same numbers by pycocotools itself; by_box_area: of masks BY_BOX_AREA too."""
    truth = COCO()
    truth.dataset = content
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        run = COCOeval(truth, detections(truth, table, kind), kind)
        run.evaluate()
        run.accumulate()
        run.summarize()
    return (
        _named(run.stats)
        | _at_each_iou(run)
        | (_by_box_area(run, table) if by_box_area and kind == "segm" else {})
    )


def require_equal(found: dict, other: dict, kind: str, source: str) -> None:
    """Raise UserError where two ways of scoring disagree by more than 1e-12."""
    for name, two in other.items():
        one = found[name]
        if (one is None) != (two is None) or (one is not None and abs(one - two) > TOLERANCE):
            raise UserError(
                f"{kind} {name}: hotcoco gives {one}, {source} {two}; nothing is written. The two "
                "scorers must agree: please report this as a bug, with the annotations and predictions"
            )


def _named(stats: Sequence[float]) -> dict[str, float | None]:
    return {
        name: None if value == -1 else float(value)
        for name, value in zip(METRICS, stats, strict=True)
    }


def _at_each_iou(run: hotcoco.COCOeval | COCOeval) -> dict[str, float | None]:
    """AP at each IoU threshold of all sizes, of an evaluation that was accumulated."""
    precision = np.asarray(run.eval["precision"])[:, :, :, 0, -1]  # (T, recalls, categories)
    return dict(zip(AP_AT_IOU, map(_mean, precision), strict=True))


def _mean(precision: np.ndarray) -> float | None:
    """Of what is there: -1 stands for a category without objects."""
    there = precision[precision > -1]
    return float(there.mean()) if there.size else None


def _by_box_area(run: COCOeval, table: pa.Table) -> dict[str, float | None]:
    """Mask AP by size once more, each detection as large as its box: matched again with the IoUs there are."""
    area = table.column("width").to_numpy().astype(float) * table.column("height").to_numpy()
    for one in (one for found in run._dts.values() for one in found):
        one["area"] = area[one["id"] - 1]
    params = run.params
    run.evalImgs = [
        run.evaluateImg(image, category, size, params.maxDets[-1])
        for category in params.catIds
        for size in params.areaRng
        for image in params.imgIds
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        run.accumulate()
    precision = run.eval["precision"]  # sizes: all, small, medium, large
    return {
        name: _mean(precision[:, :, :, size, -1])
        for size, name in enumerate(BY_BOX_AREA.values(), 1)
    }


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
