"""mmcv's operators in plain PyTorch, with mmcv's names and arguments."""

import torch
from torch import Tensor

from . import deform_conv, roi_align
from . import nms as suppression
from .backend import GET, OperatorError
from .deform_conv import Geometry
from .finder import COMPILED


def roi_align_forward(
    input: Tensor, rois: Tensor, output: Tensor, argmax_y: Tensor, argmax_x: Tensor,
    aligned_height: int, aligned_width: int, spatial_scale: float, sampling_ratio: int,
    pool_mode: int, aligned: bool,
) -> None:  # fmt: skip
    """Fill `output`; average pooling only (pool_mode 1)."""
    if pool_mode != 1:
        raise OperatorError(f"RoIAlign with max pooling is not compiled here; {GET[COMPILED]}")
    bins = (aligned_height, aligned_width)
    output.copy_(roi_align.forward(input, rois, bins, spatial_scale, sampling_ratio, aligned))


def roi_align_backward(
    grad_output: Tensor, rois: Tensor, argmax_y: Tensor, argmax_x: Tensor, grad_input: Tensor,
    aligned_height: int, aligned_width: int, spatial_scale: float, sampling_ratio: int,
    pool_mode: int, aligned: bool,
) -> None:  # fmt: skip
    """Add to `grad_input`."""
    roi_align.backward(grad_output, rois, grad_input, spatial_scale, sampling_ratio, aligned)


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Indices of the boxes that are kept, by falling score."""
    return suppression.nms(boxes, scores, iou_threshold, offset)


def deform_conv_forward(
    input: Tensor, weight: Tensor, offset: Tensor, output: Tensor, columns: Tensor, ones: Tensor,
    kW: int, kH: int, dW: int, dH: int, padW: int, padH: int, dilationW: int, dilationH: int,
    group: int, deformable_group: int, im2col_step: int,
) -> None:  # fmt: skip
    """Fill `output`: deformable convolution v1."""
    of = Geometry((kH, kW), (dH, dW), (padH, padW), (dilationH, dilationW), group, deformable_group)
    with torch.no_grad():
        output.copy_(deform_conv.convolve(input, offset, None, weight, None, of))


def deform_conv_backward_input(
    input: Tensor, offset: Tensor, grad_output: Tensor, grad_input: Tensor, grad_offset: Tensor,
    weight: Tensor, columns: Tensor, kW: int, kH: int, dW: int, dH: int, padW: int, padH: int,
    dilationW: int, dilationH: int, group: int, deformable_group: int, im2col_step: int,
) -> None:  # fmt: skip
    """Fill `grad_input` and `grad_offset`."""
    of = Geometry((kH, kW), (dH, dW), (padH, padW), (dilationH, dilationW), group, deformable_group)
    leaves = [tensor.detach().requires_grad_() for tensor in (input, offset)]
    with torch.enable_grad():
        out = deform_conv.convolve(*leaves, None, weight.detach(), None, of)
    for into, found in zip(
        (grad_input, grad_offset), torch.autograd.grad(out, leaves, grad_output), strict=True
    ):
        into.copy_(found)


def deform_conv_backward_parameters(
    input: Tensor, offset: Tensor, grad_output: Tensor, grad_weight: Tensor, columns: Tensor,
    ones: Tensor, kW: int, kH: int, dW: int, dH: int, padW: int, padH: int, dilationW: int,
    dilationH: int, group: int, deformable_group: int, scale: float, im2col_step: int,
) -> None:  # fmt: skip
    """Add `scale` times the gradient to `grad_weight`."""
    of = Geometry((kH, kW), (dH, dW), (padH, padW), (dilationH, dilationW), group, deformable_group)
    leaf = torch.zeros_like(grad_weight).requires_grad_()
    with torch.enable_grad():
        out = deform_conv.convolve(input.detach(), offset.detach(), None, leaf, None, of)
    (found,) = torch.autograd.grad(out, [leaf], grad_output)
    grad_weight.add_(found, alpha=scale)


def modulated_deform_conv_forward(
    input: Tensor, weight: Tensor, bias: Tensor, ones: Tensor, offset: Tensor, mask: Tensor,
    output: Tensor, columns: Tensor, kernel_h: int, kernel_w: int, stride_h: int, stride_w: int,
    pad_h: int, pad_w: int, dilation_h: int, dilation_w: int, group: int, deformable_group: int,
    with_bias: bool,
) -> None:  # fmt: skip
    """Fill `output`: deformable convolution v2."""
    of = Geometry(
        (kernel_h, kernel_w), (stride_h, stride_w), (pad_h, pad_w), (dilation_h, dilation_w),
        group, deformable_group,
    )  # fmt: skip
    with torch.no_grad():
        found = deform_conv.convolve(input, offset, mask, weight, bias if with_bias else None, of)
        output.copy_(found)


def modulated_deform_conv_backward(
    input: Tensor, weight: Tensor, bias: Tensor, ones: Tensor, offset: Tensor, mask: Tensor,
    columns: Tensor, grad_input: Tensor, grad_weight: Tensor, grad_bias: Tensor,
    grad_offset: Tensor, grad_mask: Tensor, grad_output: Tensor, kernel_h: int, kernel_w: int,
    stride_h: int, stride_w: int, pad_h: int, pad_w: int, dilation_h: int, dilation_w: int,
    group: int, deformable_group: int, with_bias: bool,
) -> None:  # fmt: skip
    """Fill all gradients."""
    of = Geometry(
        (kernel_h, kernel_w), (stride_h, stride_w), (pad_h, pad_w), (dilation_h, dilation_w),
        group, deformable_group,
    )  # fmt: skip
    leaves = [tensor.detach().requires_grad_() for tensor in (input, offset, mask, weight)]
    with torch.enable_grad():
        out = deform_conv.convolve(*leaves, None, of)
    found = torch.autograd.grad(out, leaves, grad_output)
    for into, value in zip((grad_input, grad_offset, grad_mask, grad_weight), found, strict=True):
        into.copy_(value)
    if with_bias:
        grad_bias.copy_(grad_output.sum((0, 2, 3)))
