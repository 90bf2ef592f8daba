"""Detections as COCO's result files: lists of objects, which any tool for COCO reads and writes."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pycocotools import mask as rle

from ..core.errors import UserError
from ..core.files import write_json
from ..core.records import KINDS
from ..data.annotations import read_json
from ..data.masks import run_lengths
from ..data.segmentation import examine, examine_codes
from .matching import BOX
from .predictions import read_predictions, runs

SHAPE = {"bbox": "bbox", "segm": "segmentation"}


def write_results(predictions: Path, loops: int, out: Path) -> list[Path]:
    """Write one L_e of a predictions file as <out>.bbox.json and <out>.segm.json, and return both.

    Two files, as boxes and masks have scores of their own, and as pycocotools takes a mask's size from the box
    where an object has both. Numbers are those of the file, in 32 bits.
    """
    table, _ = read_predictions(predictions, loops)
    columns = {
        name: table.column(name).to_pylist() for name in table.column_names if name != "mask_counts"
    }
    places = list(zip(columns["image_id"], columns["category_id"], strict=True))
    boxes = [list(box) for box in zip(*(columns[name] for name in BOX), strict=True)]
    masks = [{**mask, "counts": mask["counts"].decode("ascii")} for mask in runs(table)]
    written = []
    for kind, shapes, scores in (("bbox", boxes, "score"), ("segm", masks, "mask_score")):
        found = [
            {"image_id": image, "category_id": category, SHAPE[kind]: shape, "score": score}
            for (image, category), shape, score in zip(places, shapes, columns[scores], strict=True)
        ]
        path = out.with_name(f"{out.name}.{kind}.json")
        write_json(path, found, indent=None)
        written.append(path)
    return written


def read_results(paths: Sequence[Path], content: dict) -> dict[str, pa.Table]:
    """The detections of COCO result files by kind, as tables of predictions.

    An object counts as a box where it has a `bbox`, as a mask where it has a `segmentation` (run lengths or
    polygons); a mask without a box has its own bounds. content: COCO annotations. Raises: UserError.
    """
    sizes = {one["id"]: (one["height"], one["width"]) for one in content["images"]}
    categories = {one["id"] for one in content["categories"]}
    rows: dict[str, list[dict]] = {kind: [] for kind in KINDS}
    for path in paths:
        for one in _sound(path, sizes, categories):
            mask = None
            if "segmentation" in one:
                mask = run_lengths(one["segmentation"], *sizes[one["image_id"]])
            row = _row(one, mask)
            for kind in KINDS:
                if SHAPE[kind] in one:
                    rows[kind].append(row)
    if not any(rows.values()):
        raise UserError(f"{', '.join(map(str, paths))}: no detection found, expected one at least")
    return {kind: pa.Table.from_pylist(of_kind, schema=SCHEMA) for kind, of_kind in rows.items()}


# Of any tool's numbers: not cut to 32 bits, as those that predict writes.
SCHEMA = pa.schema(
    [
        *((name, pa.int64()) for name in ("image_id", "category_id")),
        *((name, pa.float64()) for name in ("score", "mask_score", *BOX)),
        *((f"mask_{name}", pa.int64()) for name in ("height", "width")),
        ("mask_counts", pa.binary()),
    ]
)


def _row(one: dict, mask: dict | None) -> dict[str, Any]:
    box = one["bbox"] if "bbox" in one else rle.toBbox(mask).tolist()
    height, width = mask["size"] if mask else (0, 0)
    return {
        "image_id": one["image_id"],
        "category_id": one["category_id"],
        "score": float(one["score"]),
        "mask_score": float(one["score"]),
        **dict(zip(BOX, map(float, box), strict=True)),
        "mask_height": height,
        "mask_width": width,
        "mask_counts": mask["counts"] if mask else b"",
    }


def _sound(path: Path, sizes: dict, categories: set) -> list[dict]:
    """The detections of a file. Raises UserError for what is none of these images (id: size) and categories."""
    found, _ = read_json(path)
    if not isinstance(found, list):
        raise UserError(
            f"{path}: a JSON {type(found).__name__} found, expected a list of detections as COCO's results are"
        )
    codes = []  # compressed run lengths, which are judged many at a time
    for number, one in enumerate(found):
        where = f"{path}: detection {number}"
        _require_detection(where, one, sizes, categories)
        if "segmentation" in one:
            size = list(sizes[one["image_id"]])
            verdict = examine(one["segmentation"])
            fault = verdict.fault
            if verdict.size is not None and verdict.size != size:
                fault = f"an RLE of size {verdict.size} found, expected {size}"
            if fault:
                raise UserError(f"{where}: segmentation: {fault}")
            if verdict.counts is not None:
                codes.append((where, verdict.counts, size[0] * size[1]))
    verdicts = examine_codes([code for _, code, _ in codes], [pixels for _, _, pixels in codes])
    for (where, _, _), verdict in zip(codes, verdicts, strict=True):
        if verdict.fault:
            raise UserError(f"{where}: segmentation: {verdict.fault}")
    return found


def _require_detection(where: str, one: object, sizes: dict, categories: set) -> None:
    """Raise UserError for what has no shape, another place than these, or no number where one is needed."""
    if not isinstance(one, dict) or not SHAPE.values() & one.keys():
        raise UserError(f"{where}: expected an object with bbox, segmentation or both")
    for key, known in (("image_id", sizes), ("category_id", categories)):
        if type(one.get(key)) is not int or one[key] not in known:
            raise UserError(
                f"{where}: {key}: {one.get(key)!r:.60} found, expected one of the annotations"
            )
    if not _finite([one.get("score")]):
        raise UserError(f"{where}: score: {one.get('score')!r:.60} found, expected a number")
    if "bbox" in one and not (_finite(one["bbox"]) and len(one["bbox"]) == len(BOX)):
        raise UserError(f"{where}: bbox: {one['bbox']!r:.60} found, expected [x, y, width, height]")


def _finite(values: object) -> bool:
    return isinstance(values, list) and all(
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        for value in values
    )
