"""Greedy non-maximum suppression, in mmcv's order.

Boxes that no box of another group can touch are compared within their group only: mmdet shifts each class and
each level of the pyramid away from the others before it calls this.
"""

import numpy as np
import torch
from torch import Tensor

from .precision import widened

# Groups are put together until they hold so many boxes: a small one costs as much as a loop's turn.
AT_ONCE = 128


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int = 0) -> Tensor:
    """Indices of the boxes (N, 4: x1, y1, x2, y2) that are kept, by falling score.

    offset: added to widths and heights, 0 or 1. A box is dropped if its IoU with a better one that is kept
    exceeds the threshold.
    """
    order = scores.sort(0, descending=True)[1]  # the call that mmcv makes: equal scores come alike
    if len(order) == 0:
        return order
    (boxes,) = widened(boxes)
    best = boxes.detach().cpu().numpy()[order.cpu().numpy()]
    keep = np.zeros(len(best), dtype=bool)
    for group in _groups(best, offset):
        keep[group] = _kept(best[group], iou_threshold, offset)
    return order[torch.from_numpy(keep).to(order.device)]


def _groups(boxes: np.ndarray, offset: int) -> list[np.ndarray]:
    """Indices, rising, of boxes that can overlap; split where no box reaches the next one's left side."""
    by_left = boxes[:, 0].argsort(kind="stable")
    left, right = boxes[by_left, 0], boxes[by_left, 2]
    reach = np.maximum.accumulate(right) + offset
    gaps = np.flatnonzero(left[1:] > reach[:-1]) + 1
    cuts, last = [], 0
    for gap in gaps.tolist():
        if gap - last >= AT_ONCE:
            cuts.append(gap)
            last = gap
    return [np.sort(part) for part in np.split(by_left, cuts)]


def _kept(boxes: np.ndarray, threshold: float, offset: int) -> np.ndarray:
    """Which boxes, the best first, stay."""
    drops = _rows(_overlaps(boxes, threshold, offset))
    dropped = 0
    keep = np.zeros(len(boxes), dtype=bool)
    for i, row in enumerate(drops):
        if not dropped >> i & 1:
            keep[i] = True
            dropped |= row
    return keep


def _rows(over: np.ndarray) -> list[int]:
    """Each row of a boolean matrix as one whole number, the first column its lowest bit."""
    packed = np.packbits(over, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]


def _overlaps(boxes: np.ndarray, threshold: float, offset: int) -> np.ndarray:
    """Whether the IoU of two boxes exceeds the threshold, (N, N)."""
    x1, y1, x2, y2 = (torch.from_numpy(np.ascontiguousarray(boxes[:, i])) for i in range(4))
    area = (x2 - x1 + offset) * (y2 - y1 + offset)
    width = torch.minimum(x2[:, None], x2).sub_(torch.maximum(x1[:, None], x1)).add_(offset)
    height = torch.minimum(y2[:, None], y2).sub_(torch.maximum(y1[:, None], y1)).add_(offset)
    inter = width.clamp_(min=0).mul_(height.clamp_(min=0))
    union = (area[:, None] + area).sub_(inter)
    return (inter.div_(union) > threshold).numpy()
