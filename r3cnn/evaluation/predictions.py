"""The predictions file: its columns, written and read."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from mmengine.structures import InstanceData
from pycocotools import mask as rle
from torch import Tensor

from ..core.errors import UserError
from ..core.records import FACTS_KEY, PREDICTION_COLUMNS
from ..data.content import some
from ..data.segmentation import examine_codes

SCHEMA = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in PREDICTION_COLUMNS.items()])


def table_of(
    loops: int, image_id: int, found: InstanceData, category_ids: Sequence[int], schema: pa.Schema
) -> pa.Table:
    """The detections of one image; boxes (n, 4) become x, y, width, height, masks (n, H, W) run lengths."""
    boxes = found.bboxes.cpu().numpy()
    height, width = found.masks.shape[1:]
    codes = encoded(found.masks)
    labels = found.labels.tolist()
    scores = found.scores.cpu().numpy()
    mask_scores = found.mask_scores.cpu().numpy() if "mask_scores" in found else scores
    return pa.table(
        {
            "loops": [loops] * len(boxes),
            "image_id": [image_id] * len(boxes),
            "category_id": [category_ids[label] for label in labels],
            "score": scores,
            "mask_score": mask_scores,
            "x": boxes[:, 0],
            "y": boxes[:, 1],
            "width": boxes[:, 2] - boxes[:, 0],
            "height": boxes[:, 3] - boxes[:, 1],
            "mask_height": [height] * len(boxes),
            "mask_width": [width] * len(boxes),
            "mask_counts": [code["counts"] for code in codes],
        },
        schema=schema,
    )


def encoded(masks: Tensor) -> list[dict]:
    """Masks (n, H, W) as pycocotools encodes them, {"size": [H, W], "counts": bytes} each."""
    if not len(masks):
        return []
    columns = masks.bool().transpose(1, 2)  # (n, W, H): COCO's runs go down the columns
    return runs_on_device(columns) if masks.is_cuda else _runs_on_host(columns)


def _runs_on_host(columns: Tensor) -> list[dict]:
    return rle.encode(columns.contiguous().view(torch.uint8).numpy().transpose(2, 1, 0))


def runs_on_device(columns: Tensor) -> list[dict]:
    """The same of columns (n, W, H), found where they are: only the places where runs begin are copied."""
    count, width, height = columns.shape
    pixels = columns.flatten(1)
    begins = torch.empty_like(pixels)
    begins[:, 0] = pixels[:, 0]  # the first run is of zeros, and empty where the first pixel is set
    torch.ne(pixels[:, 1:], pixels[:, :-1], out=begins[:, 1:])
    mask, place = begins.nonzero().cpu().numpy().T
    runs_of = np.split(place, np.searchsorted(mask, np.arange(1, count)))
    lengths = [np.diff(run, prepend=0, append=height * width) for run in runs_of]
    objects = [{"size": [height, width], "counts": one} for one in lengths]
    return [rle.frPyObjects(one, height, width) for one in objects]


def read_predictions(path: Path, loops: int) -> tuple[pa.Table, dict]:
    """The detections of one L_e and the facts about the run. Raises UserError for a file that is not one."""
    if not path.is_file():
        raise UserError(f"{path}: no such predictions file; run `python -m r3cnn predict`")
    try:
        table = pq.read_table(path, filters=[("loops", "=", loops)])
        facts = json.loads(table.schema.metadata[FACTS_KEY])
    except (pa.ArrowInvalid, KeyError, TypeError, OSError) as error:
        raise UserError(f"{path}: not a predictions file ({error}); predict again") from error
    if loops not in facts["loops"]:
        raise UserError(
            f"{path}: loops {loops}: holds {facts['loops']}; predict with --loops {loops}"
        )
    return table, facts


def require_known(path: Path, table: pa.Table, annotations: Path, content: dict) -> None:
    """Raise UserError for detections in images or of classes that the annotations do not have.

    Also for a mask that is not of its image, or is no run lengths: pycocotools would never end.
    """
    for column, entries in (
        ("image_id", content["images"]),
        ("category_id", content["categories"]),
    ):
        known = {one["id"] for one in entries}
        strange = sorted(set(table.column(column).unique().to_pylist()) - known)
        if strange:
            raise UserError(
                f"{path}: {column} {some(strange)} found, expected those of {annotations}; score it against "
                "the annotations it was made for, or predict again"
            )
    sizes = {one["id"]: [one["height"], one["width"]] for one in content["images"]}
    masks = runs(table)
    pixels = [one["size"][0] * one["size"][1] for one in masks]
    verdicts = examine_codes([one["counts"] for one in masks], pixels)
    owners = table.column("image_id").to_pylist()
    for image, mask, verdict in zip(owners, masks, verdicts, strict=True):
        if verdict.fault or mask["size"] != sizes[image]:
            fault = verdict.fault or f"an RLE of size {mask['size']} found, expected {sizes[image]}"
            raise UserError(f"{path}: a mask in image {image}: {fault}; predict again")


def runs(table: pa.Table) -> list[dict]:
    """The masks of a table of detections as pycocotools has them."""
    columns = [table.column(f"mask_{name}").to_pylist() for name in ("height", "width", "counts")]
    return [{"size": [h, w], "counts": counts} for h, w, counts in zip(*columns, strict=True)]
