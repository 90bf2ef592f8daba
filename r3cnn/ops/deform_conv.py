"""Deformable convolution v1 and v2 by weighted sums of four pixels.

Shapes: B images, C channels, H x W pixels, K = kernel height x width, L output pixels, G deformable groups,
O output channels. Offsets (B, 2GK, Ho, Wo) hold y before x; masks (B, GK, Ho, Wo). Equals mmcv's operators.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Geometry:
    """Kernel, stride, padding and dilation as (y, x); groups of channels and of offsets."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    deform_groups: int


def columns(image: Tensor, offset: Tensor, mask: Tensor | None, of: Geometry) -> Tensor:
    """What each output pixel's kernel sees of the images (B, C, H, W): (B, L, K, C)."""
    return torch.stack(
        [
            _columns(image[b], offset[b], None if mask is None else mask[b], of)
            for b in range(len(image))
        ]
    )


def output(
    columns: Tensor, weight: Tensor, bias: Tensor | None, of: Geometry, size: torch.Size
) -> Tensor:
    """Columns (B, L, K, C) times the weight (O, C / groups, ...): (B, O, *size), without a gradient."""
    parts = [
        seen.flatten(1) @ kernel.flatten(1).T
        for seen, kernel in zip(_grouped(columns, of), _kernels(weight, of), strict=True)
    ]
    out = torch.cat(parts, 1)
    if bias is not None:
        out += bias
    return out.view(len(columns), *size, -1).permute(0, 3, 1, 2)


def columns_gradient(grad: Tensor, weight: Tensor, of: Geometry) -> Tensor:
    """The gradient of the columns (B, L, K, C) from that of the output (B, O, Ho, Wo)."""
    parts = [
        (g @ kernel.flatten(1)).view(len(g), *kernel.shape[1:])
        for g, kernel in zip(_pixels(grad, of), _kernels(weight, of), strict=True)
    ]
    found = torch.cat(parts, 2)
    return found.view(len(grad), -1, *found.shape[1:])


def weight_gradient(grad: Tensor, columns: Tensor, shape: torch.Size, of: Geometry) -> Tensor:
    """The gradient of a weight of this shape from that of the output and the columns."""
    parts = [
        (g.T @ seen.flatten(1)).view(-1, *seen.shape[1:])
        for g, seen in zip(_pixels(grad, of), _grouped(columns, of), strict=True)
    ]
    return torch.cat(parts).transpose(1, 2).reshape(shape)


def _grouped(columns: Tensor, of: Geometry) -> tuple[Tensor, ...]:
    """Columns of each group: (B L, K, C / groups)."""
    return columns.flatten(0, 1).chunk(of.groups, 2)


def _kernels(weight: Tensor, of: Geometry) -> tuple[Tensor, ...]:
    """Kernels of each group in the order of the columns: (O / groups, K, C / groups)."""
    return weight.flatten(2).transpose(1, 2).chunk(of.groups)


def _pixels(grad: Tensor, of: Geometry) -> tuple[Tensor, ...]:
    """The output's gradient of each group, pixel by pixel: (B L, O / groups)."""
    return grad.flatten(2).transpose(1, 2).flatten(0, 1).chunk(of.groups, 1)


def _columns(image: Tensor, offset: Tensor, mask: Tensor | None, of: Geometry) -> Tensor:
    """What each output pixel's kernel sees of one image: (C, H, W) to (L, K, C)."""
    size = offset.shape[1:]
    k = of.kernel[0] * of.kernel[1]
    shifts = offset.view(of.deform_groups, k, 2, -1).permute(0, 3, 1, 2)  # (G, L, K, 2)
    at = shifts + _grid(size, of, offset)
    shares = None if mask is None else mask.view(of.deform_groups, k, -1).transpose(1, 2)
    parts = [
        _sampled(channels, at[g], None if shares is None else shares[g])
        for g, channels in enumerate(image.chunk(of.deform_groups))
    ]
    return torch.cat(parts, 2)


def _grid(size: torch.Size, of: Geometry, like: Tensor) -> Tensor:
    """Where the kernel's pixels lie without offsets: (L, K, 2: y, x)."""
    axes = []
    for axis in range(2):
        out = torch.arange(size[axis], device=like.device, dtype=like.dtype) * of.stride[axis]
        tap = (
            torch.arange(of.kernel[axis], device=like.device, dtype=like.dtype) * of.dilation[axis]
        )
        axes.append((out - of.padding[axis])[:, None] + tap)
    (h, w), (kh, kw) = size, of.kernel
    y = axes[0][:, None, :, None].expand(h, w, kh, kw)
    x = axes[1][None, :, None, :].expand(h, w, kh, kw)
    return torch.stack([y, x], -1).reshape(h * w, kh * kw, 2)


def _sampled(image: Tensor, at: Tensor, share: Tensor | None) -> Tensor:
    """Bilinear samples (L, K, C) of an image (C, H, W) at (L, K, 2); zero outside of it."""
    c, height, width = image.shape
    y, x = at.unbind(-1)
    top, left = y.detach().floor(), x.detach().floor()
    down, right = y - top, x - left
    inside = (y > -1) & (y < height) & (x > -1) & (x < width)
    indices, weights = [], []
    for dy, wy in ((0, 1 - down), (1, down)):
        for dx, wx in ((0, 1 - right), (1, right)):
            row, column = (top + dy).long(), (left + dx).long()
            there = inside & (row >= 0) & (row < height) & (column >= 0) & (column < width)
            indices.append(row.clamp(0, height - 1) * width + column.clamp(0, width - 1))
            weights.append(wy * wx * there)
    weight = torch.stack(weights, -1)
    if share is not None:
        weight = weight * share[..., None]
    pixels = image.flatten(1).T
    found = F.embedding_bag(
        torch.stack(indices, -1).view(-1, 4),
        pixels,
        mode="sum",
        per_sample_weights=weight.view(-1, 4).to(pixels.dtype),
    )
    return found.view(*y.shape, c)
