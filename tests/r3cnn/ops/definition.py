"""The operators as their definitions say them: point by point, in float64, without any gradient."""

import itertools
import math

import numpy as np
from torch import Tensor


def bilinear(image: Tensor, y: float, x: float, border: bool) -> Tensor:
    """The image (C, H, W) at a point, (C,). border: up to one pixel outside the border's value, as RoIAlign
    has it; else pixels outside are zero, as deformable convolution has it.
    """
    _, height, width = image.shape
    found = image.new_zeros(len(image))
    if border:
        if not (-1 <= y <= height and -1 <= x <= width):
            return found
        y, x = min(max(y, 0.0), height - 1.0), min(max(x, 0.0), width - 1.0)
    top, left = math.floor(y), math.floor(x)
    for row, wy in ((top, 1 - (y - top)), (top + 1, y - top)):
        for column, wx in ((left, 1 - (x - left)), (left + 1, x - left)):
            if 0 <= row < height and 0 <= column < width:
                found += wy * wx * image[:, row, column]
    return found


def roi_align(
    features: Tensor, rois: Tensor, bins: tuple[int, int], scale: float, samples: int, aligned: bool
) -> Tensor:
    """(B, C, H, W) and (N, 5) to (N, C, P, Q): the mean over each bin's grid of points."""
    features, rois = features.double(), rois.double()
    out = features.new_zeros(len(rois), features.shape[1], *bins)
    for n, (image, *box) in enumerate(rois.tolist()):
        x1, y1, x2, y2 = (side * scale - 0.5 * aligned for side in box)
        height, width = y2 - y1, x2 - x1
        if not aligned:
            height, width = max(height, 1.0), max(width, 1.0)
        grid = [
            samples or max(math.ceil(size / k), 0)
            for size, k in zip((height, width), bins, strict=True)
        ]
        for p in range(bins[0]):
            for q in range(bins[1]):
                points = [
                    (
                        y1 + (p + (i + 0.5) / grid[0]) * height / bins[0],
                        x1 + (q + (j + 0.5) / grid[1]) * width / bins[1],
                    )
                    for i in range(grid[0])
                    for j in range(grid[1])
                ]
                for y, x in points:
                    out[n, :, p, q] += bilinear(features[int(image)], y, x, True) / len(points)
    return out


def deformed(
    image: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    weight: Tensor,
    bias: Tensor | None,
    stride: tuple[int, int],
    padding: tuple[int, int],
    groups: int,
    deform: int,
    columns: range | None = None,
) -> Tensor:
    """Deformable convolution of images (B, C, H, W), v1 without mask and v2 with it, dilation 1.

    columns: those of the output, all by default.
    """
    image, offset, weight = (t.detach().double() for t in (image, offset, weight))
    mask = None if mask is None else mask.detach()
    (b, c), (o, per_group, kh, kw) = image.shape[:2], weight.shape
    out = image.new_zeros(b, o, *offset.shape[2:])
    columns = columns or range(out.shape[3])
    for n, row, column in itertools.product(range(b), range(out.shape[2]), columns):
        seen = image.new_zeros(c, kh, kw)
        for g, i, j in itertools.product(range(deform), range(kh), range(kw)):
            tap = (g * kh + i) * kw + j
            channels = slice(g * c // deform, (g + 1) * c // deform)
            y = row * stride[0] - padding[0] + i + float(offset[n, 2 * tap, row, column])
            x = column * stride[1] - padding[1] + j + float(offset[n, 2 * tap + 1, row, column])
            seen[channels, i, j] = bilinear(image[n, channels], y, x, False)
            if mask is not None:
                seen[channels, i, j] *= float(mask[n, tap, row, column])
        grouped = seen.view(groups, per_group, kh, kw).repeat_interleave(o // groups, 0)
        out[n, :, row, column] = (grouped * weight).sum((1, 2, 3))
        if bias is not None:
            out[n, :, row, column] += bias.detach().double()
    return out[..., columns.start : columns.stop]


def suppressed(boxes: np.ndarray, order: list[int], threshold: float, offset: int) -> list[int]:
    """Suppression as its definition says it, box by box."""
    kept: list[int] = []
    for i in order:
        overlaps = []
        for k in kept:
            width, height = (
                max(
                    np.float32(0),
                    min(boxes[i, 2 + d], boxes[k, 2 + d]) - max(boxes[i, d], boxes[k, d]) + offset,
                )
                for d in (0, 1)
            )
            areas = [
                (boxes[j, 2] - boxes[j, 0] + offset) * (boxes[j, 3] - boxes[j, 1] + offset)
                for j in (k, i)
            ]
            inter = width * height
            with np.errstate(invalid="ignore"):  # two boxes without area: no overlap
                overlaps.append(inter / (areas[0] + areas[1] - inter))
        if not overlaps or max(overlaps) <= np.float32(threshold):
            kept.append(i)
    return kept
