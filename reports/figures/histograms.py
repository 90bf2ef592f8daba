"""How even, how high and how alike IoU histograms are (Figure 2, claim C11)."""

import math
from collections.abc import Sequence

import pandas as pd

from ..results.load import Results, histogram_of
from .figure2 import HIGH_IOU, IOU_FROM, summed_bars


def bins_of(
    results: Results, training: str, loop: int | None = None, seed: int | None = None
) -> pd.Series | None:
    """Candidates before the refinement by iou_low from 0.5, of one loop or seed or all; None without counts."""
    loaded = histogram_of(results, training)
    if loaded is None:
        return None
    frame = loaded[0] if seed is None else loaded[0][loaded[0]["seed"] == seed]
    if frame.empty:
        return None
    bars = summed_bars(frame, iou_from=IOU_FROM)
    if loop is not None:
        bars = bars[bars["loop"] == loop]
    counts = bars.groupby("iou_low")["count"].sum()
    return counts if counts.sum() else None


def seeds_of(results: Results, *trainings: str) -> list[int]:
    """The seeds that all these trainings have counts of."""
    loaded = [histogram_of(results, training) for training in trainings]
    seeds = [set(found[1]) if found else set() for found in loaded]
    return sorted(set.intersection(*seeds))


def evenness(counts: Sequence[float]) -> float:
    """Entropy over that of equal bins: 1 if all bins hold the same, 0 if one holds all."""
    total = sum(counts)
    shares = [count / total for count in counts if count]
    return -sum(share * math.log(share) for share in shares) / math.log(len(counts)) + 0.0


def share_above(counts: pd.Series, iou: float = HIGH_IOU) -> float:
    """The share of the samples in the bins from `iou` up."""
    return float(counts[counts.index >= iou - 1e-9].sum() / counts.sum())


def distance(left: pd.Series, right: pd.Series) -> float:
    """Total variation of two histograms as shares: 0 if alike, 1 if nothing is in common."""
    shares = pd.concat([left / left.sum(), right / right.sum()], axis=1).fillna(0)
    return float((shares.iloc[:, 0] - shares.iloc[:, 1]).abs().sum() / 2)
