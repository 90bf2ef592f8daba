"""mmcv's operators by torchvision, with mmcv's names and arguments."""

from collections.abc import Callable

import torch
from torch import Tensor
from torchvision import ops

from . import nms as suppression
from .backend import GET, OperatorError
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
    with torch.no_grad():
        output.copy_(ops.roi_align(input, rois, bins, spatial_scale, sampling_ratio or -1, aligned))


@without_autocast
def roi_align_backward(
    grad_output: Tensor, rois: Tensor, argmax_y: Tensor, argmax_x: Tensor, grad_input: Tensor,
    aligned_height: int, aligned_width: int, spatial_scale: float, sampling_ratio: int,
    pool_mode: int, aligned: bool,
) -> None:  # fmt: skip
    """Add to `grad_input`; the operator is linear in the features, so any will do to differentiate it."""
    if len(rois) == 0:
        return
    bins = (aligned_height, aligned_width)
    grad_output, rois = widened(grad_output, rois)
    leaf = torch.zeros_like(grad_input, dtype=rois.dtype).requires_grad_()
    with torch.enable_grad():
        out = ops.roi_align(leaf, rois, bins, spatial_scale, sampling_ratio or -1, aligned)
    (found,) = torch.autograd.grad(out, [leaf], grad_output)
    grad_input.add_(found)


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Indices of the boxes that are kept, by falling score; torchvision knows no offset."""
    if offset or boxes.device.type == "cpu":
        return suppression.nms(boxes, scores, iou_threshold, offset)  # keeps mmcv's order of ties
    return ops.nms(*widened(boxes, scores), iou_threshold)


@without_autocast
def deform_conv_forward(
    input: Tensor, weight: Tensor, offset: Tensor, output: Tensor, columns: Tensor, ones: Tensor,
    kW: int, kH: int, dW: int, dH: int, padW: int, padH: int, dilationW: int, dilationH: int,
    group: int, deformable_group: int, im2col_step: int,
) -> None:  # fmt: skip
    """Fill `output`: deformable convolution v1."""
    run = _convolution((dH, dW), (padH, padW), (dilationH, dilationW))
    input, weight, offset = widened(input, weight, offset)
    with torch.no_grad():
        output.copy_(run(input, offset, weight))


@without_autocast
def deform_conv_backward_input(
    input: Tensor, offset: Tensor, grad_output: Tensor, grad_input: Tensor, grad_offset: Tensor,
    weight: Tensor, columns: Tensor, kW: int, kH: int, dW: int, dH: int, padW: int, padH: int,
    dilationW: int, dilationH: int, group: int, deformable_group: int, im2col_step: int,
) -> None:  # fmt: skip
    """Fill `grad_input` and `grad_offset`, and `columns`, mmcv's buffer, with the gradient of the weight."""
    run = _convolution((dH, dW), (padH, padW), (dilationH, dilationW))
    input, offset, weight, grad_output = widened(input, offset, weight, grad_output)
    found = _gradients(run, (input, offset, weight), grad_output)
    grad_input.copy_(found[0])
    grad_offset.copy_(found[1])
    columns.data = found[2]


@without_autocast
def deform_conv_backward_parameters(
    input: Tensor, offset: Tensor, grad_output: Tensor, grad_weight: Tensor, columns: Tensor,
    ones: Tensor, kW: int, kH: int, dW: int, dH: int, padW: int, padH: int, dilationW: int,
    dilationH: int, group: int, deformable_group: int, scale: float, im2col_step: int,
) -> None:  # fmt: skip
    """Add `scale` times the gradient to `grad_weight`; empties `columns` if they hold it."""
    run = _convolution((dH, dW), (padH, padW), (dilationH, dilationW))
    found = columns.data
    columns.data = columns.new_empty(0)
    if not found.numel():
        input, offset, grad_output, weight = widened(input, offset, grad_output, grad_weight)
        (found,) = _gradients(lambda w: run(input, offset, w), (weight,), grad_output)
    grad_weight.add_(found, alpha=scale)


@without_autocast
def modulated_deform_conv_forward(
    input: Tensor, weight: Tensor, bias: Tensor, ones: Tensor, offset: Tensor, mask: Tensor,
    output: Tensor, columns: Tensor, kernel_h: int, kernel_w: int, stride_h: int, stride_w: int,
    pad_h: int, pad_w: int, dilation_h: int, dilation_w: int, group: int, deformable_group: int,
    with_bias: bool,
) -> None:  # fmt: skip
    """Fill `output`: deformable convolution v2."""
    run = _convolution((stride_h, stride_w), (pad_h, pad_w), (dilation_h, dilation_w))
    input, weight, bias, offset, mask = widened(input, weight, bias, offset, mask)
    with torch.no_grad():
        output.copy_(run(input, offset, weight, mask, bias if with_bias else None))


@without_autocast
def modulated_deform_conv_backward(
    input: Tensor, weight: Tensor, bias: Tensor, ones: Tensor, offset: Tensor, mask: Tensor,
    columns: Tensor, grad_input: Tensor, grad_weight: Tensor, grad_bias: Tensor,
    grad_offset: Tensor, grad_mask: Tensor, grad_output: Tensor, kernel_h: int, kernel_w: int,
    stride_h: int, stride_w: int, pad_h: int, pad_w: int, dilation_h: int, dilation_w: int,
    group: int, deformable_group: int, with_bias: bool,
) -> None:  # fmt: skip
    """Fill all gradients."""
    run = _convolution((stride_h, stride_w), (pad_h, pad_w), (dilation_h, dilation_w))
    input, weight, offset, mask, grad_output = widened(input, weight, offset, mask, grad_output)
    found = _gradients(
        lambda i, o, m, w: run(i, o, w, m), (input, offset, mask, weight), grad_output
    )
    for into, value in zip((grad_input, grad_offset, grad_mask, grad_weight), found, strict=True):
        into.copy_(value)
    if with_bias:
        grad_bias.copy_(grad_output.sum((0, 2, 3)))


def _convolution(stride: tuple, padding: tuple, dilation: tuple) -> Callable[..., Tensor]:
    """torchvision's operator; it reads the groups from the shapes."""

    def run(
        image: Tensor, offset: Tensor, weight: Tensor, mask: Tensor | None = None,
        bias: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        return ops.deform_conv2d(image, offset, weight, bias, stride, padding, dilation, mask)

    return run


def _gradients(
    function: Callable[..., Tensor], inputs: tuple[Tensor, ...], grad: Tensor
) -> tuple[Tensor, ...]:
    leaves = [tensor.detach().requires_grad_() for tensor in inputs]
    with torch.enable_grad():
        out = function(*leaves)
    return torch.autograd.grad(out, leaves, grad)
