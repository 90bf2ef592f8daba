"""The difference of two evaluations and its interval, paired over the images and, of one model, over the seeds."""

import statistics
from dataclasses import dataclass

from .intervals import MEASURED, POINTS, UNKNOWN, Interval, Scored, scored, weights_of
from .load import Results
from .uncertainty import Part, estimate, images_part, seeds_part, spread_of

FEWEST_PAIRED = 3  # seeds from which the spread of a difference is taken from its own values


@dataclass(frozen=True)
class Side:
    """One of two evaluations that are compared."""

    results: Results
    training: str
    loops: int


@dataclass(frozen=True)
class Difference:
    """Two means over seeds, in points, and the interval of left minus right where one is known."""

    left: float
    right: float
    interval: Interval | None

    @property
    def value(self) -> float:
        """Left minus right, in points."""
        return self.left - self.right


def difference_of(left: Side, right: Side, metric: str) -> Difference | None:
    """Left minus right by a metric; None where a side has no value.

    Two evaluations of the same weights are compared on the seeds that both have: a seed that one side lacks would
    be a difference between trainings.
    """
    values = [side.results.by_seed(side.training, side.loops, metric) for side in (left, right)]
    if not all(values):
        return None
    seeds = _shared_seeds(left, right, *values)
    means = [statistics.fmean(of[seed] for seed in seeds or of) * POINTS for of in values]
    cells = [scored(side.results, side.training, side.loops, metric) for side in (left, right)]
    return Difference(*means, difference_interval(*cells))


def difference_interval(left: Scored | None, right: Scored | None) -> Interval | None:
    """Left minus right, paired over images; None unless both were scored on the same images."""
    if left is None or right is None or left.pairing != right.pairing:
        return None
    if left.weights == right.weights and (shared := set(left.seeds) & set(right.seeds)):
        left, right = left.of_seeds(shared), right.of_seeds(shared)
    drawn = left.resamples.mean(axis=0) - right.resamples.mean(axis=0)
    seeds = min(len(left.seeds), len(right.seeds))
    of_seeds, spread_from = _seeds_of_difference(left, right)
    found = estimate(
        left.values.mean() - right.values.mean(), [images_part(drawn, left.images), *of_seeds]
    )
    return Interval(found, seeds, spread_from)


def _shared_seeds(left: Side, right: Side, *values: dict[int, float]) -> list[int]:
    """The seeds of both sides if they evaluate the same weights; else none."""
    seeds = sorted(values[0].keys() & values[1].keys())
    weights = {
        weights_of(side.results, side.training, next(iter(of)))
        for side, of in zip((left, right), values, strict=True)
    }
    return seeds if len(weights) == 1 else []


def _seeds_of_difference(left: Scored, right: Scored) -> tuple[list[Part], str]:
    """What the seeds add, and where that is known from.

    Two evaluations of the same weights move together. With FEWEST_PAIRED seeds or more, the spread of their
    differences is used; with fewer, the larger spread of independent trainings.
    """
    counts = len(left.seeds), len(right.seeds)
    if (left.weights, left.seeds) == (right.weights, right.seeds) and counts[0] >= FEWEST_PAIRED:
        own = spread_of(left.values - right.values, left.resamples - right.resamples)
        return [seeds_part(own, counts[0])], MEASURED
    if left.spread is None or right.spread is None:
        return [], UNKNOWN
    if left.spread is right.spread:
        return [seeds_part(left.spread, *counts)], left.spread_from
    parts = [seeds_part(side.spread, counts[i]) for i, side in enumerate((left, right))]
    return parts, left.spread_from
