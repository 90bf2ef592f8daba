"""What stays in float32 when the rest runs under autocast (bfloat16 or float16)."""

from types import MethodType

import torch
from mmcv.ops import DeformConv2d, ModulatedDeformConv2d
from mmdet.models.roi_heads.roi_extractors import BaseRoIExtractor
from torch import Tensor, nn

# mmcv's operators have no bfloat16 on the CPU; and a pixel above 256 is no whole number in bfloat16
OPERATORS = (BaseRoIExtractor, DeformConv2d, ModulatedDeformConv2d)
# the last layers, so that losses, NMS and the sums over the loops are computed in float32
PREDICTORS = ("rpn_cls", "rpn_reg", "fc_cls", "fc_reg", "conv_logits", "fc_mask_iou")


def keep_float32(detector: nn.Module) -> nn.Module:
    """Let RoI extractors, deformable convolutions and last layers run in float32 under autocast.

    Changes nothing without autocast. Returns the detector.
    """
    for name, module in detector.named_modules():
        if isinstance(module, OPERATORS) or name.rpartition(".")[2] in PREDICTORS:
            # a bound method, so that a deep copy of the module runs its own weights
            module.forward = MethodType(_forward_in_float32, module)
    return detector


def _forward_in_float32(self: nn.Module, *args, **kwargs) -> Tensor:
    forward = type(self).forward
    device = next(_tensors([args, list(kwargs.values())])).device.type
    if not torch.amp.is_autocast_available(device) or not torch.is_autocast_enabled(device):
        return forward(self, *args, **kwargs)
    with torch.autocast(device, enabled=False):
        return forward(self, *_float32(args), **_float32(kwargs))


def _tensors(value: object):
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)


def _float32(value: object) -> object:
    if isinstance(value, dict):
        return {key: _float32(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_float32(item) for item in value)
    halves = (torch.bfloat16, torch.float16)
    return value.float() if isinstance(value, Tensor) and value.dtype in halves else value
