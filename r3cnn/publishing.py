"""The results of a finished training: weights, IoU histogram, log and manifest."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from . import checkpoint
from .files import remove_leftovers, replacing, write_atomically, write_json
from .iou_histogram import rows_of_epoch, to_csv

if TYPE_CHECKING:
    from .train import Trainer

FACTS = ("training", "seed", "scale", "schedule", "loops_trained")


def publish(trainer: "Trainer", out: Path) -> None:
    """Write the results of a finished training: the manifest last."""
    remove_leftovers(out)
    counts = enumerate(trainer.counts, 1)
    rows = [row for epoch, of_epoch in counts for row in rows_of_epoch(epoch, of_epoch)]
    write_atomically(out / "iou_histogram.csv", to_csv(rows))
    for path in (trainer.log.path, trainer.validation.path):
        with replacing(out / path.name) as temporary:
            shutil.copyfile(path, temporary)
    checkpoint.save(out / "checkpoint.pth", trainer.content())
    write_json(out / "manifest.json", manifest(trainer))


def manifest(trainer: "Trainer") -> dict:
    """What was run, on what, by what, at what cost."""
    cfg, facts, log = trainer.cfg, trainer.cfg.r3cnn, trainer.log
    optimizer, scale_batch = cfg.optim_wrapper.optimizer, cfg.auto_scale_lr.base_batch_size
    return {
        **{key: facts[key] for key in FACTS},
        "config_sha256": trainer.config_sha256,
        **log.provenance(),
        "world_size": trainer.world,
        "batch": trainer.batch,
        "lr": optimizer.lr * trainer.batch / scale_batch,
        "data": facts.data,
        "iterations": trainer.step,
        "epochs": trainer.epochs,
        "start": log.attempts[0]["start"],
        "end": log.attempts[-1]["end"],
        "attempts": log.attempts,
        "seconds": round(sum(attempt["seconds"] for attempt in log.attempts), 3),
    }
