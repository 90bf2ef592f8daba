"""Predict the validation images once for every L_e asked for: backbone, RPN and box loops are shared."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData
from torch import nn
from torch.utils.data import DataLoader

from ..core import provenance
from ..core.errors import UserError
from ..core.files import replacing, sha256_of, write_json
from ..core.layout import gallery_of
from ..core.progress import Progress
from ..core.records import FACTS_KEY
from ..data.loading import batches, build_dataset, collate, require_checked_annotations
from ..weights import device
from ..weights.loading import load_detector
from . import gallery
from .predictions import SCHEMA, table_of

log = logging.getLogger(__name__)
IMAGES_A_GROUP = 200


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
        **device.record("prediction"),
        "checkpoint_sha256": sha256_of(weights),
        "images": len(dataset),
        "loops": loops,
        "start": provenance.now(),
    }
    progress = Progress(len(dataset))
    shown, pictures = set(gallery.choose(dataset)), []
    every = sorted({*range(1, max(loops) + 1), *loops}) if _can_loop(detector) else loops
    with replacing(out) as temporary:
        schema = SCHEMA.with_metadata({FACTS_KEY: json.dumps(facts)})
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
    write_json(gallery_of(out), {**facts, "pictures": pictures}, indent=None)


def _can_loop(detector: nn.Module) -> bool:
    return hasattr(detector.roi_head, "predict_loops")


def _write_groups(writer: pq.ParquetWriter, tables: dict[int, list[pa.Table]]) -> None:
    """One row group for each L_e, so that a reader of one L_e skips the others."""
    for parts in tables.values():
        writer.write_table(pa.concat_tables(parts))
        parts.clear()
