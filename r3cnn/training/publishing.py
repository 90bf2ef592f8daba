"""The results of a finished training: weights, IoU histogram, log and manifest."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import Tensor

from ..core.files import remove_leftovers, replacing, write_atomically, write_json
from ..core.layout import StateFolder, TrainingFolder
from ..core.records import TRAINING_FACTS, Attempt, Manifest, Provenance
from ..weights import checkpoint
from .iou_histogram import rows_of_epoch, to_csv


@dataclass(frozen=True)
class Finished:
    """What a training hands over when it has ended.

    content: of the last checkpoint; counts: (L, A, 3, B) of each epoch; batch: images a step.
    """

    cfg: Config
    state: StateFolder
    content: dict[str, Any]
    counts: tuple[Tensor, ...]
    world_size: int
    batch: int
    iterations: int
    epochs: int
    attempts: list[Attempt]
    provenance: Provenance


def publish(finished: Finished, config_sha256: str, out: Path) -> None:
    """Write the results of a finished training to the folder `out`: the manifest last."""
    remove_leftovers(out)
    folder, state = TrainingFolder(out), finished.state
    counts = enumerate(finished.counts, 1)
    rows = [row for epoch, of_epoch in counts for row in rows_of_epoch(epoch, of_epoch)]
    write_atomically(folder.histogram, to_csv(rows))
    for source, target in ((state.log, folder.log), (state.validation, folder.validation)):
        with replacing(target) as temporary:
            shutil.copyfile(source, temporary)
    checkpoint.save(folder.checkpoint, finished.content)
    write_json(folder.manifest, manifest(finished, config_sha256))


def manifest(finished: Finished, config_sha256: str) -> Manifest:
    """What was run, on what, by what, at what cost."""
    cfg, facts, attempts = finished.cfg, finished.cfg.r3cnn, finished.attempts
    optimizer, scale_batch = cfg.optim_wrapper.optimizer, cfg.auto_scale_lr.base_batch_size
    return {
        **{key: facts[key] for key in TRAINING_FACTS},
        "config_sha256": config_sha256,
        **finished.provenance,
        "world_size": finished.world_size,
        "batch": finished.batch,
        "lr": optimizer.lr * finished.batch / scale_batch,
        "data": facts.data,
        "iterations": finished.iterations,
        "epochs": finished.epochs,
        "start": attempts[0]["start"],
        "end": attempts[-1]["end"],
        "attempts": attempts,
        "seconds": round(sum(attempt["seconds"] for attempt in attempts), 3),
    }
