"""IoU histograms of the training samples (Figure 2), counted on the device without synchronisation.

Shapes: L loops, A assignments (before and, where the model samples again, after a loop's refinement),
3 views, B bins of 0.05, P boxes of one image.
"""

import csv
import io

import torch
from torch import Tensor

from ..core.records import ASSIGNMENTS, BINS, HISTOGRAM_COLUMNS, VIEWS


class IoUHistogram:
    """Counts (L, A, 3, B) of one epoch.

    candidates: the best IoU of each box handed to the assigner, without ground truth (the authors'
    figure 2); sampled: those drawn for training, ground truth included; positives: part of sampled.
    """

    def __init__(self, loops: int, assignments: int, device: torch.device | str = "cpu") -> None:
        self.counts = torch.zeros(
            loops, assignments, len(VIEWS), BINS, dtype=torch.int64, device=device
        )
        # in float32, as the assigner compares: an IoU that reaches a threshold counts as above it
        self.edges = torch.tensor([i / BINS for i in range(1, BINS)], device=device)

    def add(self, loop: int, assignment: int, view: int, iou: Tensor) -> None:
        """Count IoUs (any shape) in [0, 1]; bins are closed below, the last one on both sides."""
        bins = torch.bucketize(iou.detach().flatten(), self.edges, right=True)
        self.counts[loop, assignment, view].scatter_add_(0, bins, torch.ones_like(bins))

    def add_sampling(
        self,
        loop: int,
        assignment: int,
        candidates: Tensor,
        overlaps: Tensor,
        pos: Tensor,
        neg: Tensor,
    ) -> None:
        """Count one image's sampling: candidates (P,); overlaps with ground truth added, and indices into it."""
        self.add(loop, assignment, 0, candidates)
        self.add(loop, assignment, 1, overlaps.index_select(0, pos))
        self.add(loop, assignment, 1, overlaps.index_select(0, neg))
        self.add(loop, assignment, 2, overlaps.index_select(0, pos))


def rows_of_epoch(epoch: int, counts: Tensor) -> list[dict]:
    """Counts (L, A, 3, B) as rows of iou_histogram.csv, zeros too."""
    rows = []
    for loop, of_loop in enumerate(counts.tolist(), 1):
        for assignment, of_assignment in zip(ASSIGNMENTS, of_loop, strict=False):
            for view, of_view in zip(VIEWS, of_assignment, strict=True):
                for i, count in enumerate(of_view):
                    edges = (f"{i / BINS:.2f}", f"{(i + 1) / BINS:.2f}")
                    values = (epoch, loop, assignment, view, *edges, count)
                    rows.append(dict(zip(HISTOGRAM_COLUMNS, values, strict=True)))
    return rows


def to_csv(rows: list[dict]) -> str:
    """The text of iou_histogram.csv."""
    text = io.StringIO()
    writer = csv.DictWriter(text, HISTOGRAM_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
