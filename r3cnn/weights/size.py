"""Parameters and checkpoint size of a model, without memory."""

import math

from mmengine.config import Config
from torch import nn

from .building import build_detector

MIB, GIB = 2**20, 2**30
HEADS = ("bbox_head", "mask_head", "mask_iou_head", "bbox_roi_extractor", "mask_roi_extractor")


def parameters(cfg: Config) -> dict:
    """Parameters in total, trainable, and of each module, and H, the number of box heads.

    Counted on the meta device, without memory.
    """
    detector = build_detector(cfg, "meta")
    box_heads = detector.roi_head.bbox_head
    return {
        "total": _count(detector),
        "trainable": _count(detector, trainable=True),
        "modules": {name: _count(module) for name, module in modules_of(detector).items()},
        "heads": len(box_heads) if isinstance(box_heads, nn.ModuleList) else 1,
    }


def modules_of(detector: nn.Module) -> dict[str, nn.Module]:
    """The modules that a detector's costs are told of, by name; what two of them share stands once."""
    modules = {name: getattr(detector, name) for name in ("backbone", "neck", "rpn_head")}
    for name in HEADS:
        head = getattr(detector.roi_head, name, None)
        if isinstance(head, nn.Module):
            modules[name] = head
    if modules["mask_roi_extractor"] is modules["bbox_roi_extractor"]:
        del modules["mask_roi_extractor"]
    return modules


def _count(module: nn.Module, trainable: bool = False) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trainable)


def checkpoint_size(cfg: Config) -> dict:
    """Bytes of a training checkpoint's tensors: weights, buffers, and SGD's momentum of what trains.

    print_mb is what the paper prints as model size: MiB, rounded up.
    """
    detector = build_detector(cfg, "meta")
    weights = sum(p.numel() * p.element_size() for p in detector.parameters())
    buffers = sum(b.numel() * b.element_size() for b in detector.buffers())
    momentum = sum(p.numel() * p.element_size() for p in detector.parameters() if p.requires_grad)
    total = weights + buffers + momentum
    return {
        "weights_bytes": weights,
        "buffers_bytes": buffers,
        "momentum_bytes": momentum,
        "tensor_bytes": total,
        "print_mb": math.ceil(total / MIB),
    }
