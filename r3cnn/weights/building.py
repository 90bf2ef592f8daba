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
from . import checkpoint, foreign
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


def require_buildable(cfg: Config, where: str) -> None:
    """Raise UserError where a config does not make a detector that can be trained here; nothing is allocated."""
    try:
        detector = build_detector(cfg, "meta")
    except UserError:
        raise
    except Exception as error:  # whatever a class, perhaps the user's own, raises
        said = " ".join(str(error).split())[:300]
        raise UserError(
            f"{where}: model: cannot be built: {type(error).__name__}: {said}; correct the model"
        ) from error
    head = getattr(detector, "roi_head", None)
    if not getattr(detector, "with_mask", False):
        raise UserError(f"{where}: model.roi_head: has no mask head; expected boxes and masks")
    if not hasattr(getattr(detector, "rpn_head", None), "sampler") or not hasattr(
        head, "bbox_sampler"
    ):
        raise UserError(
            f"{where}: model: no sampler of training boxes in its RPN or RoI head; expected train_cfg.rpn and "
            "train_cfg.rcnn with a sampler, as Mask R-CNN has them"
        )
    names = [name for name, _ in detector.named_parameters()]
    for key in (cfg.optim_wrapper.get("paramwise_cfg") or {}).get("custom_keys") or {}:
        if not any(key in name for name in names):
            raise UserError(
                f"{where}: optim_wrapper.paramwise_cfg.custom_keys: {key!r} is in no parameter's name"
            )


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
    foreign.require_finite(weights, found)
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
