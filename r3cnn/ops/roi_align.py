"""RoIAlign as two matrix products an RoI: bilinear interpolation is separable.

Shapes: N RoIs, C channels, H x W feature map, P x Q bins of an RoI, S samples a bin along one axis. With the
weights Wy (P, H) and Wx (Q, W) of an RoI, out = Wy F Wx^T for each channel, and the gradient is Wy^T G Wx.
Equals mmcv's roi_align with average pooling. All tensors are of one type, float32 or float64.
"""

import torch
from torch import Tensor

# Pixels of a feature map up to which all of it is multiplied at once; above, each RoI takes its window.
SMALL_MAP = 2048


def forward(
    features: Tensor, rois: Tensor, bins: tuple[int, int], scale: float, samples: int, aligned: bool
) -> Tensor:
    """Features (B, C, H, W) and RoIs (N, 5: image, x1, y1, x2, y2) to (N, C, P, Q).

    samples: sampling points a bin and axis, 0 for as many as the bin has pixels.
    """
    out = features.new_zeros(len(rois), features.shape[1], *bins)
    wy, wx = _weights(rois, features.shape[2:], bins, scale, samples, aligned)
    for image, mine in _by_image(rois):
        feature, y, x = features[image], wy[mine], wx[mine]
        if feature.shape[1] * feature.shape[2] <= SMALL_MAP:
            out[mine] = _whole(feature, y, x)
        else:
            for i, top, bottom, left, right in _windows(y, x):
                window = feature[:, top:bottom, left:right] @ x[i, :, left:right].T
                out[mine[i]] = y[i, :, top:bottom] @ window
    return out


def backward(
    grad: Tensor,
    rois: Tensor,
    into: Tensor,
    scale: float,
    samples: int,
    aligned: bool,
) -> None:
    """Add the gradient of the features to `into` (B, C, H, W), from that of the output (N, C, P, Q)."""
    bins = (grad.shape[2], grad.shape[3])
    wy, wx = _weights(rois, into.shape[2:], bins, scale, samples, aligned)
    for image, mine in _by_image(rois):
        feature, y, x, g = into[image], wy[mine], wx[mine], grad[mine]
        if feature.shape[1] * feature.shape[2] <= SMALL_MAP:
            feature += _whole_gradient(g, y, x)
        else:
            for i, top, bottom, left, right in _windows(y, x):
                window = y[i, :, top:bottom].T @ (g[i] @ x[i, :, left:right])
                feature[:, top:bottom, left:right] += window


def _whole(feature: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """All RoIs of an image: (C, H, W), (N, P, H), (N, Q, W) to (N, C, P, Q)."""
    (n, p, h), (c, _, w) = y.shape, feature.shape
    rows = y.reshape(n * p, h) @ feature.transpose(0, 1).reshape(h, c * w)
    return (rows.view(n, p * c, w) @ x.transpose(1, 2)).view(n, p, c, -1).transpose(1, 2)


def _whole_gradient(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """The sum over RoIs of Wy^T G Wx: (N, C, P, Q) to (C, H, W)."""
    n, c, p, q = g.shape
    h, w = y.shape[2], x.shape[2]
    columns = g.transpose(1, 2).reshape(n, p * c, q) @ x
    return (y.reshape(n * p, h).T @ columns.view(n * p, c * w)).view(h, c, w).transpose(0, 1)


def _by_image(rois: Tensor) -> list[tuple[int, Tensor]]:
    """The images that have RoIs, and the indices of these."""
    images = rois[:, 0].long()
    return [(int(image), (images == image).nonzero()[:, 0]) for image in images.unique()]


def _windows(y: Tensor, x: Tensor) -> list[tuple[int, int, int, int, int]]:
    """(RoI, top, bottom, left, right) of the pixels that have a weight; RoIs without any left out."""
    edges = [_extent((weights != 0).any(1)) for weights in (y, x)]
    found = zip(*(edge.tolist() for pair in edges for edge in pair), strict=True)
    return [
        (i, top, bottom, left, right)
        for i, (top, bottom, left, right) in enumerate(found)
        if bottom > top and right > left
    ]


def _extent(touched: Tensor) -> tuple[Tensor, Tensor]:
    """First and past-the-last True of each row (N, L)."""
    length = touched.shape[1]
    marks = touched.to(torch.uint8)
    last = length - marks.flip(1).argmax(1)
    some = touched.any(1)
    return marks.argmax(1) * some, last * some


def _weights(
    rois: Tensor,
    size: torch.Size,
    bins: tuple[int, int],
    scale: float,
    samples: int,
    aligned: bool,
) -> tuple[Tensor, Tensor]:
    """Wy (N, P, H) and Wx (N, Q, W)."""
    boxes = rois[:, 1:] * scale - (0.5 if aligned else 0.0)
    x1, y1, x2, y2 = boxes.unbind(1)
    height, width = y2 - y1, x2 - x1
    if not aligned:
        height, width = height.clamp(min=1), width.clamp(min=1)
    wy = _axis(y1, height, bins[0], size[0], samples)
    wx = _axis(x1, width, bins[1], size[1], samples)
    return wy, wx


def _axis(start: Tensor, extent: Tensor, bins: int, length: int, samples: int) -> Tensor:
    """Weights (N, bins, length) along one axis: the mean over a bin's samples of their two pixels' shares."""
    n = len(start)
    weights = start.new_zeros(n * bins, length)
    if n == 0:
        return weights.view(0, bins, length)
    step = extent / bins
    counts = torch.full_like(start, samples) if samples > 0 else step.ceil().clamp(min=0)
    most = int(counts.max())
    if most < 1:
        return weights.view(n, bins, length)
    s = torch.arange(most, device=start.device, dtype=start.dtype)
    share = (
        (s + 0.5) * step[:, None] / counts.clamp(min=1)[:, None]
    )  # in the order of mmcv: the same rounding
    first = (
        start[:, None] + torch.arange(bins, device=start.device, dtype=start.dtype) * step[:, None]
    )
    at = first[:, :, None] + share[:, None, :]  # (N, bins, S)
    valid = (at >= -1) & (at <= length) & (s < counts[:, None])[:, None, :]
    at = at.clamp(min=0)
    low = at.floor().clamp(max=length - 1)
    above = (at - low).masked_fill(low >= length - 1, 0)
    each = valid.to(start.dtype) / counts.clamp(min=1)[:, None, None]
    low = low.long().view(n * bins, most)
    weights.scatter_add_(1, low, ((1 - above) * each).view(n * bins, most))
    high = (low + 1).clamp(max=length - 1)
    weights.scatter_add_(1, high, (above * each).view(n * bins, most))
    return weights.view(n, bins, length)
