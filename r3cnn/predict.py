"""Predict the validation images once for every L_e asked for: trunk, RPN and box loops are shared."""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData
from pycocotools import mask as rle
from torch import Tensor, nn
from torch.utils.data import DataLoader

from . import checkpoint, gallery, provenance
from .building import build_detector, choose_device
from .data.loading import batches, build_dataset, collate, require_checked_annotations
from .errors import UserError
from .files import replacing, sha256_of, write_json

log = logging.getLogger(__name__)
IMAGES_A_GROUP = 200
SECONDS_BETWEEN_MESSAGES = 10
SCHEMA = pa.schema(
    [
        ("loops", pa.int16()),
        ("image_id", pa.int64()),
        ("category_id", pa.int64()),
        ("score", pa.float32()),
        ("mask_score", pa.float32()),  # score x predicted mask IoU where the model predicts one
        ("x", pa.float32()),
        ("y", pa.float32()),
        ("width", pa.float32()),
        ("height", pa.float32()),
        ("mask_height", pa.int32()),
        ("mask_width", pa.int32()),
        ("mask_counts", pa.binary()),  # compressed run lengths, as pycocotools writes them
    ]
)


def load_detector(cfg: Config, weights: Path) -> nn.Module:
    """The trained detector in evaluation mode. Raises UserError where the weights are another network's."""
    detector = build_detector(cfg, choose_device())
    state = checkpoint.load(weights)
    state = state.get("state_dict", state)
    if reason := _mismatch(detector.state_dict(), state):
        raise UserError(
            f"{weights}: weights of another network than {cfg.filename}: {reason}; "
            "use the checkpoint that was trained with this config"
        )
    detector.load_state_dict(state)
    return detector.eval()


def _mismatch(own: Mapping[str, Tensor], given: Mapping[str, object]) -> str:
    """Why weights do not fit a network, with an example of each kind; empty where they do."""
    shapes = {name: getattr(value, "shape", None) for name, value in given.items()}
    kinds = {
        "missing": own.keys() - shapes.keys(),
        "unknown": shapes.keys() - own.keys(),
        "of another shape": {n for n in own.keys() & shapes.keys() if own[n].shape != shapes[n]},
    }
    return ", ".join(f"{len(n)} {kind} (such as {min(n)})" for kind, n in kinds.items() if n)


def loops_allowed(detector: nn.Module, loops: Sequence[int]) -> None:
    """Raise UserError where a model that does not loop is asked for other than its own loops."""
    head = detector.roi_head
    own = getattr(head, "num_stages", 1)
    if not _can_loop(detector) and list(loops) != [own]:
        raise UserError(
            f"loops: {list(loops)}: this model always runs {own}; ask for --loops {own}"
        )


@torch.no_grad()
def predict_batch(
    detector: nn.Module, data: dict, loops: Sequence[int]
) -> dict[int, list[InstanceData]]:
    """Detections {L_e: one an image} in the original images' pixels, of a collated batch."""
    data = detector.data_preprocessor(data, False)
    x = detector.extract_feat(data["inputs"])
    proposals = detector.rpn_head.predict(x, data["data_samples"], rescale=False)
    head = detector.roi_head
    if _can_loop(detector):
        return head.predict_loops(x, proposals, data["data_samples"], loops, rescale=True)
    return {loops[0]: head.predict(x, proposals, data["data_samples"], rescale=True)}


def predict(cfg: Config, weights: Path, loops: Sequence[int], out: Path) -> None:
    """Write the detections of all validation images, for every L_e in `loops`, to one Parquet file.

    Beside `out` stands <out's stem>.gallery.json: some images with what each loop found in them.
    """
    detector = load_detector(cfg, weights)
    loops = sorted(set(loops))
    loops_allowed(detector, loops)
    require_checked_annotations(cfg.test_dataloader, cfg.r3cnn.data, "val")
    dataset = build_dataset(cfg.test_dataloader)
    loader = DataLoader(dataset, collate_fn=collate, num_workers=cfg.test_dataloader.num_workers)
    facts = {
        **cfg.r3cnn.to_dict(),
        **provenance.record(),
        "checkpoint_sha256": sha256_of(weights),
        "images": len(dataset),
        "loops": loops,
        "start": provenance.now(),
    }
    progress = Progress(len(dataset))
    shown, pictures = set(gallery.choose(dataset)), []
    every = sorted({*range(1, max(loops) + 1), *loops}) if _can_loop(detector) else loops
    with replacing(out) as temporary:
        schema = SCHEMA.with_metadata({"r3cnn": json.dumps(facts)})
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            tables: dict[int, list[pa.Table]] = {n: [] for n in loops}
            for i, data in enumerate(batches(loader), 1):
                looked_at = i - 1 in shown
                found = predict_batch(detector, data, every if looked_at else loops)
                image_id = data["data_samples"][0].img_id
                for n in loops:
                    tables[n].append(table_of(n, image_id, found[n][0], dataset.cat_ids, schema))
                if looked_at:
                    after = {n: of_loop[0] for n, of_loop in found.items()}
                    info = dataset.get_data_info(i - 1)
                    pictures.append(gallery.describe(info, after, dataset.metainfo["classes"]))
                if i % IMAGES_A_GROUP == 0 or i == len(dataset):
                    _write_groups(writer, tables)
                progress.say(i)
    write_json(gallery_file(out), {**facts, "pictures": pictures}, indent=None)


def gallery_file(predictions: Path) -> Path:
    """The file of the pictures that stands beside the predictions."""
    return predictions.with_name(f"{predictions.stem}.gallery.json")


def _can_loop(detector: nn.Module) -> bool:
    return hasattr(detector.roi_head, "predict_loops")


def _write_groups(writer: pq.ParquetWriter, tables: dict[int, list[pa.Table]]) -> None:
    """One row group for each L_e, so that a reader of one L_e skips the others."""
    for parts in tables.values():
        writer.write_table(pa.concat_tables(parts))
        parts.clear()


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


class Progress:
    """Says every few seconds how many images are done and how long the rest will take."""

    def __init__(self, total: int, what: str = "") -> None:
        self.what, self.total, self.began = what, total, time.monotonic()
        self.spoke = self.began

    def say(self, done: int) -> None:
        """Log the state, unless it was logged just now."""
        now = time.monotonic()
        if now - self.spoke < SECONDS_BETWEEN_MESSAGES and done < self.total:
            return
        self.spoke = now
        rate = done / max(now - self.began, 1e-9)
        left = (self.total - done) / rate
        log.info("%s%d/%d images, about %d s left", self.what, done, self.total, left)
