"""From a config to a detector on a device."""

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.model.utils import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from torch import nn

from .draws import seed_libraries
from .errors import UserError


def choose_device() -> torch.device:
    """This process's GPU where there is one, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")


def build_detector(cfg: Config, device: torch.device | str, seed: int | None = None) -> nn.Module:
    """The detector of a config, its weights drawn from `seed` (None: undrawn, for weights to be loaded).

    SyncBN has no CPU form and becomes BN there. On the meta device nothing is allocated.
    """
    init_default_scope("mmdet")
    MMLogger.get_current_instance().setLevel("WARNING")  # it tells of every tensor that it fills
    from mmdet.registry import MODELS

    if seed is not None:
        _check_trunk_weights(cfg)
        seed_libraries(seed, "weights")
    device = torch.device(device)
    with torch.device("meta" if device.type == "meta" else "cpu"):
        detector = MODELS.build(cfg.model)
    if device.type == "cpu":
        detector = revert_sync_batchnorm(detector)
    if seed is not None:
        detector.init_weights()
    return detector.to(device)


def _check_trunk_weights(cfg: Config) -> None:
    """mmengine reads torchvision:// weights through torchvision: say so before it fails in there."""
    weights = str((cfg.model.backbone.get("init_cfg") or {}).get("checkpoint", ""))
    if not weights.startswith("torchvision://"):
        return
    try:
        import torchvision  # noqa: F401
    except ImportError:
        raise UserError(
            f"{cfg.filename}: model.backbone.init_cfg: {weights} needs torchvision, which is not "
            "installed; install it, or resolve with `--trunk FILE` (a ResNet-50 state dict) or "
            "`--trunk random`"
        ) from None
