"""A trained detector from its config and checkpoint."""

from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config
from torch import Tensor, nn

from ..core.errors import UserError
from . import checkpoint, foreign
from .building import build_detector
from .device import choose_device
from .trained import classes_of


def load_detector(cfg: Config, weights: Path) -> nn.Module:
    """The trained detector in evaluation mode. Raises UserError where the weights are another's, or not finite."""
    detector = build_detector(cfg, choose_device())
    content = checkpoint.load(weights)
    state = foreign.tensors_of(weights, content)
    state = foreign.without_statistics(weights, state, cfg.model.data_preprocessor)
    foreign.require_finite(weights, state)
    foreign.require_classes(weights, content, lambda: classes_of(cfg))
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
