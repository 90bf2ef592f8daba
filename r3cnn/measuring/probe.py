"""Seconds per pass and memory of each training on this machine, from a few passes."""

import dataclasses
import logging
import statistics
import tempfile
from collections.abc import Iterable
from pathlib import Path

import torch
import yaml

from ..catalogue.scales import Scale
from ..catalogue.trainings import Training
from ..config.resolve import resolve
from ..core import provenance
from ..core.files import write_atomically
from ..data.check import check
from ..data.synthetic.shapes import SHAPES, generate
from ..training.trainer import Trainer
from ..weights import device
from ..weights.size import GIB

log = logging.getLogger(__name__)
IMAGES = 8
OBJECTS = (4, 12)  # in an image; COCO has seven on average


def probe(
    trainings: Iterable[Training], scale: Scale, out: Path, passes: int, data: Path | None = None
) -> None:
    """Train `passes` passes of each, without weights from elsewhere, and write a file of measurements.

    data: a folder in COCO's layout; without it images of the scale's size are generated. On a GPU the
    peak of its memory is measured too. Trainings of the same network are measured once.
    """
    with tempfile.TemporaryDirectory() as folder:
        checked = check(data or _generated(Path(folder) / "data", scale))
        quick = dataclasses.replace(scale, batch=scale.per_pass, workers=0)
        seconds, memory, same = {}, {}, {}
        first_of: dict[str, str] = {}
        for training in trainings:
            key = repr((training.model_file, len(training.iou), training.mixins, training.options))
            if key in first_of:
                same[training.id] = first_of[key]
                continue
            first_of[key] = training.id
            cfg = resolve(training, quick, 0, checked, backbone="random")
            seconds[training.id], peak = _measured(cfg, Path(folder) / training.id, passes)
            if peak is not None:
                memory[training.id] = peak
            log.info("%s: %.3f s a pass", training.id, seconds[training.id])
    source = f"{passes} passes of {scale.per_pass} images each, {provenance.now()}"
    content = {
        "measured": {
            "device": device.device_name(),
            "gpus": 1,
            "images": scale.per_pass,
            "source": source,
            "seconds": seconds,
        },
        "same": same,
        "memory": {"source": source, "gigabytes": memory},
    }
    write_atomically(out, yaml.safe_dump(content, sort_keys=False))


def _generated(folder: Path, scale: Scale) -> Path:
    width, height = scale.images
    classes = len(SHAPES)
    generate(folder, IMAGES, 1, width, height, classes, seed=0, objects=OBJECTS)
    return folder


def _measured(cfg, state: Path, passes: int) -> tuple[float, float | None]:
    """Seconds of a pass, the median without the first if there are several, and the peak in GiB."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    trainer = Trainer(cfg, state)
    times = [line["seconds"] for line in _lines(trainer, passes)]
    seconds = round(statistics.median(times[1:] or times), 4)
    if not torch.cuda.is_available():
        return seconds, None
    return seconds, round(torch.cuda.max_memory_allocated() / GIB, 2)


def _lines(trainer: Trainer, passes: int) -> list[dict]:
    trainer.run_steps(passes)
    text = trainer.log.path.read_text(encoding="utf-8")
    return [yaml.safe_load(line) for line in text.splitlines()]
