"""The predictions file: its columns, written and read."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from mmengine.structures import InstanceData
from pycocotools import mask as rle

from ..core.errors import UserError
from ..core.records import FACTS_KEY, PREDICTION_COLUMNS

SCHEMA = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in PREDICTION_COLUMNS.items()])


def table_of(
    loops: int, image_id: int, found: InstanceData, category_ids: Sequence[int], schema: pa.Schema
) -> pa.Table:
    """The detections of one image; boxes (n, 4) become x, y, width, height, masks (n, H, W) run lengths."""
    boxes = found.bboxes.cpu().numpy()
    masks = np.asfortranarray(found.masks.cpu().numpy().transpose(1, 2, 0), dtype=np.uint8)
    codes = rle.encode(masks) if len(boxes) else []
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
            "mask_height": [masks.shape[0]] * len(boxes),
            "mask_width": [masks.shape[1]] * len(boxes),
            "mask_counts": [code["counts"] for code in codes],
        },
        schema=schema,
    )


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
    """Raise UserError where detections are of images or categories that the annotations do not hold."""
    for column, name in (("image_id", "images"), ("category_id", "categories")):
        known = {one["id"] for one in content[name]}
        strange = sorted(set(table.column(column).unique().to_pylist()) - known)
        if strange:
            raise UserError(
                f"{path}: {column}: {strange[0]} ({len(strange)} in all) is not among the {name} of "
                f"{annotations}; "
                "score it against the annotations it was predicted for"
            )


def runs(table: pa.Table) -> list[dict]:
    """The masks of a table of detections as pycocotools has them."""
    columns = [table.column(f"mask_{name}").to_pylist() for name in ("height", "width", "counts")]
    return [{"size": [h, w], "counts": counts} for h, w, counts in zip(*columns, strict=True)]
