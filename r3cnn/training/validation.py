"""Validation AP by epoch during training, as `predict` and `score` would compute it.

Nothing is drawn and no weight changes here, so a training ends the same with it and without.
"""

import json
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import torch
from mmengine import dist
from mmengine.config import Config
from torch import nn
from torch.utils.data import DataLoader, Subset

from ..core.files import write_atomically
from ..core.layout import StateFolder
from ..core.progress import Progress
from ..core.records import KINDS
from ..data.annotations import read as read_annotations
from ..data.loading import batches, build_dataset, collate, require_checked_annotations
from ..evaluation.metrics import hotcoco_metrics
from ..evaluation.predict import predict_batch
from ..evaluation.predictions import SCHEMA, table_of
from .stopping import Interrupted, heed_parent_only

log = logging.getLogger(__name__)
WAIT = timedelta(days=7)  # for the process that scores; a group's usual limit is minutes


class Validation:
    """validation.jsonl of a state folder and what fills it: all processes predict, the first one scores.

    The file is there and empty where the scale asks for no validation.
    """

    def __init__(self, cfg: Config, state: StateFolder) -> None:
        self.cfg, self.path = cfg, state.validation
        self.every, self.epochs = cfg.r3cnn.get("validate_every", 0), cfg.train_cfg.max_epochs
        self.loops = cfg.r3cnn.loops_trained
        self.rank, self.world = dist.get_rank(), dist.get_world_size()
        self.lines: list[dict] = []  # of the first process only
        self.group = None

    def begin(self, epoch: int) -> None:
        """Keep the lines up to `epoch`, the last one that was trained whole; later ones are computed again."""
        if self.rank == 0:
            text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
            lines = [json.loads(line) for line in text.splitlines()]
            self.lines = [line for line in lines if line["epoch"] <= epoch]
            self._write()
        if self.every:
            checksum = require_checked_annotations(
                self.cfg.test_dataloader, self.cfg.r3cnn.data, "val"
            )
            self.dataset = build_dataset(self.cfg.test_dataloader, checksum)
            if self.world > 1:  # on the CPU: detections are objects, and a GPU's group times out
                self.group = torch.distributed.new_group(backend="gloo", timeout=WAIT)

    def due(self, epoch: int) -> bool:
        """Whether the end of this epoch (from 1; 0: nothing trained) wants a line that is not there."""
        if not self._wanted(epoch):
            return False
        missing = [all(line["epoch"] != epoch for line in self.lines)]
        dist.broadcast_object_list(missing)
        return missing[0]

    def _wanted(self, epoch: int) -> bool:
        if not self.every or not epoch:
            return False
        return epoch % self.every == 0 or epoch == self.epochs

    def to_come(self) -> tuple[float, str]:
        """The seconds that the validations to come will take, as far as known, and words on them."""
        done = {line["epoch"] for line in self.lines}
        count = sum(self._wanted(e) and e not in done for e in range(1, self.epochs + 1))
        if not count:
            return 0.0, ""
        words = f"{count} validation{'s' * (count > 1)}"
        if not self.lines:
            return 0.0, f" and {words}"
        return count * self.lines[-1]["seconds"], f", {words} included"

    def run(
        self,
        detector: nn.Module,
        epoch: int,
        stopped: Callable[[], bool],
        require: Callable[[], None] = lambda: None,
    ) -> None:
        """Append the line of an epoch. Raises Interrupted, without a line, once `stopped()` says so.

        stopped: asked by all processes before each image, with the same answer; require: raises where
        this process may not write any more.
        """
        began = time.monotonic()
        for buffer in detector.buffers():  # statistics of BN: those that the checkpoint holds
            dist.broadcast(buffer)
        detector.eval()
        try:
            own = self._predictions(detector, epoch, stopped)
        finally:
            detector.train()
        shares = [None] * self.world if self.rank == 0 else None
        if self.world > 1:
            torch.distributed.gather_object(own, shares, group=self.group)
        else:
            shares = [own]
        if self.rank == 0:
            found = {"epoch": epoch, "loops": self.loops, **self._scores(pa.concat_tables(shares))}
            require()
            self.lines.append({**found, "seconds": round(time.monotonic() - began, 3)})
            self._write()
            log.info("epoch %d/%d, validation: %s", epoch, self.epochs, ", ".join(
                f"{task} AP {'none' if found[key] is None else format(100 * found[key], '.1f')}"
                for task, key in (("box", "bbox_AP"), ("mask", "segm_AP"))
            ))  # fmt: skip
        if self.world > 1:
            torch.distributed.barrier(group=self.group)

    def _predictions(
        self, detector: nn.Module, epoch: int, stopped: Callable[[], bool]
    ) -> pa.Table:
        """The detections in this process's share of the images: every `world`-th."""
        total = len(self.dataset)
        loader = DataLoader(
            Subset(self.dataset, range(self.rank, total, self.world)),
            collate_fn=collate,
            num_workers=self.cfg.test_dataloader.num_workers,
            worker_init_fn=heed_parent_only,
        )
        progress = Progress(total, f"epoch {epoch}/{self.epochs}, validation: ")
        found, share = [SCHEMA.empty_table()], batches(loader)
        for first in range(0, total, self.world):
            if stopped():
                raise Interrupted(f"a signal came in the validation after epoch {epoch}")
            if first + self.rank < total:
                data = next(share)
                detections = predict_batch(detector, data, [self.loops])[self.loops][0]
                image_id = data["data_samples"][0].img_id
                ids = self.dataset.cat_ids
                found.append(table_of(self.loops, image_id, detections, ids, SCHEMA))
            if self.rank == 0:
                progress.say(min(first + self.world, total))
        return pa.concat_tables(found)

    def _scores(self, table: pa.Table) -> dict[str, float | None]:
        annotations = Path(self.cfg.test_dataloader.dataset.ann_file)
        truth, _ = read_annotations(annotations, whole=True)
        return {f"{kind}_AP": hotcoco_metrics(truth, table, kind)["AP"] for kind in KINDS}

    def _write(self) -> None:
        write_atomically(self.path, "".join(json.dumps(line) + "\n" for line in self.lines))
