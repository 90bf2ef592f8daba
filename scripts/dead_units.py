"""Which units of a trained box head are above zero for any RoI: a unit that never is has stopped learning.

python scripts/dead_units.py results/mini r3l_dcn r3_advanced [--seed 1]

For each training and each ReLU of its first box head, over the RoIs of some validation images.
"""

import argparse
import functools
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from r3cnn.cli.common import import_mmdet
from r3cnn.core.errors import UserError
from r3cnn.core.layout import RunFolder

IMAGES = 5


class Active:
    """The units of each ReLU in a module that were above zero since it is watched: {name: (units,) bool}.

    A ReLU that several layers share, as those of mmdet's heads, counts once for each of them: `relu 1`, `relu 2`.
    """

    def __init__(self, module: nn.Module):
        self.units: dict[str, Tensor] = {}
        self.calls: Counter[str] = Counter()  # of the present forward pass
        module.register_forward_pre_hook(lambda *_: self.calls.clear())
        for name, layer in module.named_modules():
            if isinstance(layer, nn.ReLU):
                layer.register_forward_hook(functools.partial(self._note, name))

    def _note(self, name: str, layer: nn.Module, given: tuple, out: Tensor) -> None:
        if not len(out):
            return
        self.calls[name] += 1
        above = (out > 0).transpose(0, 1).flatten(1).any(1)  # (RoIs, units, ...) to (units,)
        key = f"{name} {self.calls[name]}"
        self.units[key] = self.units.get(key, torch.zeros_like(above)) | above


def active_units(
    results: Path, training: str, seed: int = 0, images: int = IMAGES
) -> dict[str, Tensor]:
    """Which units of a training's first box head are above zero in the first images. Raises UserError."""
    import_mmdet()
    from r3cnn.config.load import load_config
    from r3cnn.data.loading import build_dataset, collate, require_checked_annotations
    from r3cnn.evaluation.predict import predict_batch
    from r3cnn.weights.loading import load_detector

    files = RunFolder(results).training(training, seed)
    if not files.checkpoint.is_file():
        raise UserError(
            f"{files.checkpoint}: no such checkpoint; expected the folder of a run, such as results/mini, and the "
            "id of a training that has ended (a kept run has no checkpoints)"
        )
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
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(arguments)
    try:
        for training in asked.trainings:
            for layer, units in active_units(asked.results, training, asked.seed).items():
                print(f"{training:20} {layer:26} {int(units.sum()):5} of {len(units)} units")
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
