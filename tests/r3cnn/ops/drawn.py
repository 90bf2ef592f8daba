"""What the operators are tested with: RoIs, deformable convolutions and boxes, drawn from seeds."""

import importlib
from types import ModuleType

import torch
from mmcv.ops import deform_conv2d, modulated_deform_conv2d
from torch import Tensor

# mmcv's package hands on functions of the same names as its modules
USERS = tuple(
    importlib.import_module(f"mmcv.ops.{name}")
    for name in ("roi_align", "deform_conv", "modulated_deform_conv", "nms")
)


def let_call(module: ModuleType) -> None:
    """Have mmcv's functions call these operators."""
    for user in USERS:
        user.ext_module = module


def random_rois(count: int, images: int, width: int, height: int, seed: int = 0) -> Tensor:
    """RoIs (N, 5) in a map of width x height; some reach beyond it, one lies outside, one is empty."""
    draw = torch.Generator().manual_seed(seed)
    u = torch.rand(count, 5, generator=draw)
    x, y = (u[:, 1] * 1.2 - 0.1) * width, (u[:, 2] * 1.2 - 0.1) * height
    rois = torch.stack(
        [(u[:, 0] * images).floor(), x, y, x + u[:, 3] ** 2 * width, y + u[:, 4] ** 2 * height], 1
    )
    if count > 2:
        rois[0, 1:] = torch.tensor([-90.0, -90.0, -70.0, -70.0])
        rois[1, 1:] = torch.tensor([5.0, 5.0, 5.0, 5.0])
    return rois


def convolution_inputs(
    dtype: torch.dtype = torch.float32, groups: int = 1, deform: int = 1, width: int = 7
) -> tuple[Tensor, ...]:
    """Image, offsets that reach beyond it, mask, weight and bias; (y, x) sizes and steps differ."""
    draw = torch.Generator().manual_seed(3)

    def normal(*size: int) -> Tensor:
        return torch.randn(*size, dtype=dtype, generator=draw).requires_grad_()

    image = normal(2, 4, 6, width)
    offset = (
        2 * torch.randn(2, 18 * deform, 3, width, dtype=dtype, generator=draw)
    ).requires_grad_()
    mask = torch.rand(2, 9 * deform, 3, width, dtype=dtype, generator=draw).requires_grad_()
    return image, offset, mask, normal(6, 4 // groups, 3, 3), normal(6)


STRIDE, PADDING = (2, 1), (1, 1)


def deformed(image, offset, mask, weight, bias, groups=1, deform=1, modulated=True):
    """mmcv's deformable convolution of those inputs, v2 or (modulated=False) v1."""
    how = (STRIDE, PADDING, (1, 1), groups, deform)
    if modulated:
        return modulated_deform_conv2d(image, offset, mask, weight, bias, *how)
    return deform_conv2d(image, offset, weight, *how)


def boxes_and_scores(count: int, classes: int, seed: int = 4) -> tuple[Tensor, Tensor]:
    """Boxes in crowds, each class far from the others, and scores of which many are equal."""
    draw = torch.Generator().manual_seed(seed)
    boxes = torch.rand(count, 4, generator=draw) * 60
    boxes[:, 2:] += boxes[:, :2]
    boxes += torch.randint(0, classes, (count, 1), generator=draw) * 500.0
    return boxes, (torch.rand(count, generator=draw) * 20).round() / 20
