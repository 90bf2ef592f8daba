"""Which units of a trained box head are above zero for any RoI: a unit that never is has stopped learning.

python scripts/dead_units.py results/mini r3l_dcn r3_advanced

For each training (seed 0) and each ReLU of its box head, over the RoIs of some validation images.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from r3cnn.cli.common import import_mmdet
from r3cnn.core.errors import UserError
from r3cnn.core.layout import RunFolder

IMAGES = 5


class Active:
    """The units of each ReLU in a module that were above zero since it is watched: {name: (units,) bool}."""

    def __init__(self, module: nn.Module):
        self.units: dict[str, Tensor] = {}
        for name, layer in module.named_modules():
            if isinstance(layer, nn.ReLU):
                layer.register_forward_hook(self._noting(name))

    def _noting(self, name: str):
        def note(layer: nn.Module, given: tuple, out: Tensor) -> None:
            above = (out > 0).transpose(0, 1).flatten(1).any(1)  # (RoIs, units, ...) to (units,)
            self.units[name] = self.units.get(name, torch.zeros_like(above)) | above

        return note


def active_units(results: Path, training: str, images: int = IMAGES) -> dict[str, Tensor]:
    """Which units of a training's first box head are above zero in the first images. Raises UserError."""
    import_mmdet()
    from r3cnn.config.load import load_config
    from r3cnn.data.loading import build_dataset, collate, require_checked_annotations
    from r3cnn.evaluation.predict import predict_batch
    from r3cnn.weights.loading import load_detector

    files = RunFolder(results).training(training, 0)
    cfg = load_config(files.config)
    detector = load_detector(cfg, files.checkpoint)
    checksum = require_checked_annotations(cfg.test_dataloader, cfg.r3cnn.data, "val")
    dataset = build_dataset(cfg.test_dataloader, checksum)
    head = detector.roi_head.bbox_head
    active = Active(head[0] if isinstance(head, nn.ModuleList) else head)
    for number in range(min(images, len(dataset))):
        predict_batch(detector, collate([dataset[number]]), [cfg.r3cnn.loops_trained])
    return active.units


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each layer."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path)
    parser.add_argument("trainings", nargs="+", metavar="ID")
    asked = parser.parse_args(arguments)
    try:
        for training in asked.trainings:
            for layer, units in active_units(asked.results, training).items():
                print(f"{training:20} {layer:26} {int(units.sum()):5} of {len(units)} units")
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
