"""mmcv's operators in plain PyTorch, with mmcv's names and arguments."""

import torch
from torch import Tensor

from . import deform_conv, roi_align
from . import nms as suppression
from .backend import GET, OperatorError
from .deform_conv import Geometry
from .finder import COMPILED
from .precision import widened, without_autocast


@without_autocast
def roi_align_forward(
    input: Tensor, rois: Tensor, output: Tensor, argmax_y: Tensor, argmax_x: Tensor,
    aligned_height: int, aligned_width: int, spatial_scale: float, sampling_ratio: int,
    pool_mode: int, aligned: bool,
) -> None:  # fmt: skip
    """Fill `output`; average pooling only (pool_mode 1)."""
    if pool_mode != 1:
        raise OperatorError(f"RoIAlign with max pooling is not compiled here; {GET[COMPILED]}")
    bins = (aligned_height, aligned_width)
    input, rois = widened(input, rois)
    output.copy_(roi_align.forward(input, rois, bins, spatial_scale, sampling_ratio, aligned))


@without_autocast
def roi_align_backward(
    grad_output: Tensor, rois: Tensor, argmax_y: Tensor, argmax_x: Tensor, grad_input: Tensor,
    aligned_height: int, aligned_width: int, spatial_scale: float, sampling_ratio: int,
    pool_mode: int, aligned: bool,
) -> None:  # fmt: skip
    """Add to `grad_input`."""
    grad_output, rois, into = widened(grad_output, rois, grad_input)
    roi_align.backward(grad_output, rois, into, spatial_scale, sampling_ratio, aligned)
    if into is not grad_input:
        grad_input.copy_(into)


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Indices of the boxes that are kept, by falling score."""
    return suppression.nms(boxes, scores, iou_threshold, offset)


@without_autocast
def deform_conv_forward(
    input: Tensor, weight: Tensor, offset: Tensor, output: Tensor, columns: Tensor, ones: Tensor,
    kW: int, kH: int, dW: int, dH: int, padW: int, padH: int, dilationW: int, dilationH: int,
    group: int, deformable_group: int, im2col_step: int,
) -> None:  # fmt: skip
    """Fill `output`: deformable convolution v1."""
    of = _geometry(kH, kW, dH, dW, padH, padW, dilationH, dilationW, group, deformable_group)
    input, weight, offset = widened(input, weight, offset)
    with torch.no_grad():
        seen = deform_conv.columns(input, offset, None, of)
        output.copy_(deform_conv.output(seen, weight, None, of, output.shape[2:]))


@without_autocast
def deform_conv_backward_input(
    input: Tensor, offset: Tensor, grad_output: Tensor, grad_input: Tensor, grad_offset: Tensor,
    weight: Tensor, columns: Tensor, kW: int, kH: int, dW: int, dH: int, padW: int, padH: int,
    dilationW: int, dilationH: int, group: int, deformable_group: int, im2col_step: int,
) -> None:  # fmt: skip
    """Fill `grad_input` and `grad_offset`, and `columns`, mmcv's buffer, for the gradient of the weight."""
    of = _geometry(kH, kW, dH, dW, padH, padW, dilationH, dilationW, group, deformable_group)
    input, offset, weight, grad_output = widened(input, offset, weight, grad_output)
    leaves = [tensor.detach().requires_grad_() for tensor in (input, offset)]
    with torch.enable_grad():
        seen = deform_conv.columns(*leaves, None, of)
    grad = deform_conv.columns_gradient(grad_output, weight, of)
    found = torch.autograd.grad(seen, leaves, grad)
    for into, value in zip((grad_input, grad_offset), found, strict=True):
        into.copy_(value)
    columns.data = seen.detach()


@without_autocast
def deform_conv_backward_parameters(
    input: Tensor, offset: Tensor, grad_output: Tensor, grad_weight: Tensor, columns: Tensor,
    ones: Tensor, kW: int, kH: int, dW: int, dH: int, padW: int, padH: int, dilationW: int,
    dilationH: int, group: int, deformable_group: int, scale: float, im2col_step: int,
) -> None:  # fmt: skip
    """Add `scale` times the gradient to `grad_weight`; empties `columns` if they are filled."""
    of = _geometry(kH, kW, dH, dW, padH, padW, dilationH, dilationW, group, deformable_group)
    input, offset, grad_output = widened(input, offset, grad_output)
    with torch.no_grad():
        # a copy of the reference: mmcv keeps the buffer as long as the graph
        seen = columns.data if columns.numel() else deform_conv.columns(input, offset, None, of)
        columns.data = columns.new_empty(0)
        found = deform_conv.weight_gradient(grad_output, seen, grad_weight.shape, of)
        grad_weight.add_(found, alpha=scale)


@without_autocast
def modulated_deform_conv_forward(
    input: Tensor, weight: Tensor, bias: Tensor, ones: Tensor, offset: Tensor, mask: Tensor,
    output: Tensor, columns: Tensor, kernel_h: int, kernel_w: int, stride_h: int, stride_w: int,
    pad_h: int, pad_w: int, dilation_h: int, dilation_w: int, group: int, deformable_group: int,
    with_bias: bool,
) -> None:  # fmt: skip
    """Fill `output`: deformable convolution v2."""
    of = _geometry(
        kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w, group,
        deformable_group,
    )  # fmt: skip
    input, weight, bias, offset, mask = widened(input, weight, bias, offset, mask)
    with torch.no_grad():
        seen = deform_conv.columns(input, offset, mask, of)
        bias = bias if with_bias else None
        output.copy_(deform_conv.output(seen, weight, bias, of, output.shape[2:]))


@without_autocast
def modulated_deform_conv_backward(
    input: Tensor, weight: Tensor, bias: Tensor, ones: Tensor, offset: Tensor, mask: Tensor,
    columns: Tensor, grad_input: Tensor, grad_weight: Tensor, grad_bias: Tensor,
    grad_offset: Tensor, grad_mask: Tensor, grad_output: Tensor, kernel_h: int, kernel_w: int,
    stride_h: int, stride_w: int, pad_h: int, pad_w: int, dilation_h: int, dilation_w: int,
    group: int, deformable_group: int, with_bias: bool,
) -> None:  # fmt: skip
    """Fill all gradients."""
    of = _geometry(
        kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w, group,
        deformable_group,
    )  # fmt: skip
    input, weight, offset, mask, grad_output = widened(input, weight, offset, mask, grad_output)
    leaves = [tensor.detach().requires_grad_() for tensor in (input, offset, mask)]
    with torch.enable_grad():
        seen = deform_conv.columns(*leaves, of)
    grad = deform_conv.columns_gradient(grad_output, weight, of)
    found = torch.autograd.grad(seen, leaves, grad)
    for into, value in zip((grad_input, grad_offset, grad_mask), found, strict=True):
        into.copy_(value)
    grad_weight.copy_(
        deform_conv.weight_gradient(grad_output, seen.detach(), grad_weight.shape, of)
    )
    if with_bias:
        grad_bias.copy_(grad_output.sum((0, 2, 3)))


def _geometry(
    kernel_h: int, kernel_w: int, stride_h: int, stride_w: int, pad_h: int, pad_w: int,
    dilation_h: int, dilation_w: int, groups: int, deform_groups: int,
) -> Geometry:  # fmt: skip
    """mmcv's numbers, as pairs."""
    return Geometry(
        (kernel_h, kernel_w), (stride_h, stride_w), (pad_h, pad_w), (dilation_h, dilation_w),
        groups, deform_groups,
    )  # fmt: skip
