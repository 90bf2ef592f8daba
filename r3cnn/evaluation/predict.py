"""Predict the validation images once for every L_e asked for: backbone, RPN and box loops are shared."""

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import torch
from mmengine import dist
from mmengine.config import Config
from mmengine.structures import InstanceData
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset

from ..core import provenance
from ..core.errors import UserError
from ..core.files import NO_ACCESS, NO_SPACE, replacing, sha256_of, write_json, writing
from ..core.layout import gallery_of
from ..core.progress import Progress
from ..core.records import FACTS_KEY
from ..data.loading import batches, build_dataset, collate, require_checked_annotations
from ..weights import device
from ..weights.loading import load_detector
from . import gallery
from .parts import Parts
from .predictions import SCHEMA, table_of

log = logging.getLogger(__name__)


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


def predict(
    cfg: Config,
    weights: Path,
    loops: Sequence[int],
    out: Path,
    state: Path | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> bool:
    """Write the detections of all validation images, for every L_e in `loops`, to one Parquet file.

    Next to `out` it writes <out's stem>.gallery.json: some images with the detections of each loop. The processes
    of a group share the images, and the rows are the same in the same order whatever their number. `state`
    keeps what is predicted already: a folder that all of them see (default: next to `out`). Returns False,
    without a file, where `stopped()` said so after an image.
    """
    work = _Work.prepared(cfg, weights, loops)
    folder = state or out.with_name(f".{out.stem}.parts")
    with writing(state or out, NO_ACCESS | NO_SPACE):
        parts = Parts(folder / work.digest(), len(work.dataset))
    left = [parts.missing()]
    dist.broadcast_object_list(left)
    mine = left[0][dist.get_rank() :: dist.get_world_size()]
    ended = work.run(parts, mine, stopped)
    if not _all(ended):
        return False
    if dist.get_rank() == 0:
        facts = {**work.facts, "start": work.start}
        with replacing(out) as temporary:
            schema = SCHEMA.with_metadata({FACTS_KEY: json.dumps(facts)})
            pictures = parts.join(temporary, schema, work.loops)
            write_json(gallery_of(out), {**facts, "pictures": pictures}, indent=None)
        parts.remove()
        if state is None:
            folder.rmdir()
    return True


@dataclass
class _Work:
    """What is predicted, and with what."""

    detector: nn.Module
    dataset: Dataset
    loops: list[int]
    facts: dict
    workers: int
    start: str = field(default_factory=provenance.now)

    @classmethod
    def prepared(cls, cfg: Config, weights: Path, loops: Sequence[int]) -> "_Work":
        """Load the network and the images' list. Raises UserError where they do not fit."""
        detector = load_detector(cfg, weights)
        loops = sorted(set(loops))
        loops_allowed(detector, loops)
        checksum = require_checked_annotations(cfg.test_dataloader, cfg.r3cnn.data, "val")
        dataset = build_dataset(cfg.test_dataloader, checksum)
        facts = {
            **cfg.r3cnn.to_dict(),
            **device.record("prediction"),
            "checkpoint_sha256": sha256_of(weights),
            "images": len(dataset),
            "loops": loops,
        }
        return cls(detector, dataset, loops, facts, cfg.test_dataloader.num_workers)

    def digest(self) -> str:
        """Of what decides the rows: parts of another prediction are not taken for its own."""
        where = {"device", "git_commit"}  # of an attempt
        facts = {name: value for name, value in self.facts.items() if name not in where}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]

    def run(self, parts: Parts, mine: Sequence[range], stopped: Callable[[], bool]) -> bool:
        """Predict these parts; False where `stopped()` ended it."""
        shown, total = set(gallery.choose(self.dataset)), sum(map(len, mine))
        loader = DataLoader(
            Subset(self.dataset, [image for part in mine for image in part]),
            collate_fn=collate,
            num_workers=self.workers,
        )
        progress, data, done = Progress(total), batches(loader), 0
        for part in mine:
            tables: list[pa.Table] = [SCHEMA.empty_table()]
            pictures: list[dict] = []
            for image in part:
                if stopped():
                    return False
                tables += self.tables_of(image, next(data), image in shown, pictures)
                done += 1
                progress.say(done)
            parts.write(part, tables, pictures)
        return True

    def tables_of(self, image: int, data: dict, show: bool, pictures: list[dict]) -> list[pa.Table]:
        """The detections in an image, a table for each L_e; what is to be shown of it goes to `pictures`."""
        most = max(self.loops)
        all_loops = show and _can_loop(self.detector)
        asked = sorted({*range(1, most + 1), *self.loops}) if all_loops else self.loops
        found = predict_batch(self.detector, data, asked)
        if show:
            after = {n: of_loop[0] for n, of_loop in found.items()}
            info = self.dataset.get_data_info(image)
            pictures.append(gallery.describe(info, after, self.dataset.metainfo["classes"]))
        image_id = data["data_samples"][0].img_id
        ids = self.dataset.cat_ids
        return [table_of(n, image_id, found[n][0], ids, SCHEMA) for n in self.loops]


def _all(answer: bool) -> bool:
    """Whether every process says yes."""
    return all(dist.all_gather_object(answer))


def _can_loop(detector: nn.Module) -> bool:
    return hasattr(detector.roi_head, "predict_loops")
