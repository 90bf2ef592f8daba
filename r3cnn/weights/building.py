"""From a config to a detector on a device."""

import copy
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.model.utils import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from torch import nn

from ..config.own_code import import_all
from ..core.errors import UserError
from ..data.seeding import seed_libraries
from . import checkpoint
from .pretrained import require_pretrained


def build_detector(cfg: Config, device: torch.device | str, seed: int | None = None) -> nn.Module:
    """The detector of a config, its weights drawn from `seed` (None: undrawn, for weights to be loaded).

    SyncBN has no CPU form and becomes BN there. On the meta device nothing is allocated.
    """
    init_default_scope("mmdet")
    import_all(cfg)  # a config that was just resolved was never read so
    MMLogger.get_current_instance().setLevel("WARNING")  # it tells of every tensor that it fills
    from mmdet.registry import MODELS

    from ..models.precision import keep_float32

    if seed is not None:
        _require_torchvision(cfg)
        seed_libraries(seed, "weights")
    device = torch.device(device)
    with torch.device("meta" if device.type == "meta" else "cpu"):
        detector = MODELS.build(copy.deepcopy(cfg.model))  # mmdet moves parts of what it is given
    if device.type == "cpu":
        detector = revert_sync_batchnorm(detector)
    if seed is not None:
        _require_backbone_weights(cfg, detector.backbone)
        require_pretrained(cfg, detector)
        detector.init_weights()
    return keep_float32(detector).to(device)


def _backbone_weights(cfg: Config) -> str:
    return str((cfg.model.backbone.get("init_cfg") or {}).get("checkpoint", ""))


def _require_torchvision(cfg: Config) -> None:
    """mmengine reads torchvision:// weights through torchvision: say so before it fails in there."""
    weights = _backbone_weights(cfg)
    if not weights.startswith("torchvision://"):
        return
    try:
        import torchvision  # noqa: F401
    except ImportError:
        raise UserError(
            f"{cfg.filename}: model.backbone.init_cfg: {weights} needs torchvision, which is not "
            "installed; install it, or resolve with `--backbone FILE` (a ResNet-50 state dict) or "
            "`--backbone random`"
        ) from None


def _require_backbone_weights(cfg: Config, backbone: nn.Module) -> None:
    """mmengine says little of a broken file, and passes over weights that the backbone does not know."""
    weights = _backbone_weights(cfg)
    if not weights or "://" in weights or cfg.r3cnn.get("pretrained"):
        return
    found = checkpoint.load(Path(weights))
    found = found.get("state_dict", found)
    own = backbone.state_dict()
    strange = [
        name
        for name, value in found.items()
        if not name.startswith("fc.")
        and (name not in own or own[name].shape != getattr(value, "shape", None))
    ]
    if strange or "conv1.weight" not in found:
        raise UserError(
            f"{weights}: not the weights of this backbone ({(strange or ['conv1.weight'])[0]} does not fit); "
            "expected a ResNet-50 state dict as torchvision names it, or `--backbone random`"
        )
