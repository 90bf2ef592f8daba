"""Intervals of an AP and of a difference of two APs, in points of AP: over the images and the seeds.

Shapes: n seeds, B resamples of the images.
"""

import functools
from dataclasses import dataclass

import numpy as np

from .load import Results
from .setting import setting_of
from .uncertainty import (
    Estimate,
    Part,
    Spread,
    estimate,
    images_part,
    outlying,
    pooled,
    seeds_part,
    spread_of,
)

POINTS = 100  # an AP of 1 in points
# Points of AP: the standard deviation of seeds of Mask R-CNN on COCO, in tables of five seeds.
LITERATURE = {"bbox.AP": 0.1, "segm.AP": 0.1}
APS = {"box AP": "bbox.AP", "mask AP": "segm.AP"}
MOST_MISSING = 0.5  # share of the resamples that may have no such object
FEWEST_PAIRED = 3  # seeds from which the spread of a difference is taken from its own values
MEASURED, ELSEWHERE, UNKNOWN = "measured at this scale", "known from elsewhere", "unknown"


@dataclass(frozen=True)
class Scored:
    """A metric of one evaluation over its seeds, in points.

    values (n,), resamples (n, B), pairing and images as in Resamples. weights: whose they are, the same for two
    evaluations of one model. spread: of seeds at this scale, and where it is known from.
    """

    values: np.ndarray
    resamples: np.ndarray
    pairing: tuple[object, ...]
    images: int
    weights: tuple[object, ...]
    spread: Spread | None
    spread_from: str


@dataclass(frozen=True)
class Interval:
    """An estimate in points; over how many seeds (the fewer of two), and where their spread is known from.

    least: what the value cannot be below; above, it cannot be over 100.
    """

    estimate: Estimate
    seeds: int
    spread_from: str
    least: float = -100.0

    @property
    def value(self) -> float:
        """The mean, or the difference of two."""
        return float(self.estimate.value)

    @property
    def bounds(self) -> tuple[float, float]:
        """The ends of the 95 % interval."""
        low, high = self.estimate.interval()
        return max(float(low), self.least), min(float(high), 100.0)


def scored(results: Results, training: str, loops: int, metric: str) -> Scored | None:
    """A metric with its resamples; None if one of its seeds has none, or most resamples have no such object."""
    found = _by_seed(results, training, loops, metric)
    if found is None:
        return None
    values, resamples, first = found
    origin = _origin(results, training, first[1])
    spread, spread_from = seed_spread(results, metric, origin)
    weights = (results.folder, origin)
    file = results.resamples[first]
    return Scored(values, resamples, file.pairing, file.images, weights, spread, spread_from)


def cell_interval(cell: Scored | None) -> Interval | None:
    """The mean over seeds."""
    if cell is None:
        return None
    parts = [images_part(cell.resamples.mean(axis=0), cell.images)]
    seeds = len(cell.values)
    if cell.spread:
        parts.append(seeds_part(cell.spread, seeds))
    return Interval(estimate(cell.values.mean(), parts), seeds, cell.spread_from, least=0.0)


def difference_interval(left: Scored | None, right: Scored | None) -> Interval | None:
    """Left minus right, paired over images; None unless both were scored on the same images."""
    if left is None or right is None or left.pairing != right.pairing:
        return None
    drawn = left.resamples.mean(axis=0) - right.resamples.mean(axis=0)
    seeds = min(len(left.values), len(right.values))
    of_seeds, spread_from = _seeds_of_difference(left, right)
    found = estimate(
        left.values.mean() - right.values.mean(), [images_part(drawn, left.images), *of_seeds]
    )
    return Interval(found, seeds, spread_from)


def taken_in(results: Results) -> str:
    """What the intervals of this folder take in, in words."""
    images = "other validation images (1,000 resamples)"
    spreads = {name: seed_spread(results, metric) for name, metric in APS.items()}
    known = {name: (spread, where) for name, (spread, where) in spreads.items() if spread}
    if not known:
        return f"{images}, not other seeds, whose spread at this scale is unknown"
    sizes = " and ".join(
        f"{spread.variance**0.5:.2f} {name}" for name, (spread, _) in known.items()
    )
    where = next(iter(known.values()))[1]
    said = f"{images} and other seeds, whose standard deviation is {where}: {sizes}"
    apart = sorted({id_ for metric in APS.values() for id_ in _spreads(results, metric)[1]})
    if apart:
        said += (
            f"; the seeds of {', '.join(apart)} differ far more (Cochran's test) and have their own"
        )
    return said


def seed_spread(results: Results, metric: str, training: str = "") -> tuple[Spread | None, str]:
    """The spread of a training's seeds, pooled over the trainings with several; else the literature's, at `paper`.

    A training whose seeds differ far more than the others' has its own.
    """
    together, apart = _spreads(results, metric)
    if spread := apart.get(training, together):
        return spread, MEASURED
    if metric in LITERATURE and setting_of(results).comparable:
        return Spread(LITERATURE[metric] ** 2), ELSEWHERE
    return None, UNKNOWN


@functools.lru_cache(maxsize=256)
def _spreads(results: Results, metric: str) -> tuple[Spread | None, dict[str, Spread]]:
    """The pooled spread of the trainings that spread alike, and those of the others by id.

    A training with several L_e counts once, with their mean: the seeds are the same.
    """
    by_training: dict[str, list[Spread]] = {}
    for training, loops in results.evaluations():
        if _trained_here(results, training):
            found = _by_seed(results, training, loops, metric)
            if found and len(found[0]) > 1:
                by_training.setdefault(training, []).append(spread_of(*found[:2]))
    each = {training: _mean(spreads) for training, spreads in by_training.items()}
    apart = {training: each.pop(training) for training in outlying(each)}
    return pooled(each.values()), apart


def _mean(spreads: list[Spread]) -> Spread:
    variance, images = (
        float(np.mean([getattr(spread, name) for spread in spreads]))
        for name in ("variance", "images")
    )
    return Spread(variance, images, min(spread.freedom for spread in spreads))


def _seeds_of_difference(left: Scored, right: Scored) -> tuple[list[Part], str]:
    """What the seeds add, and where that is known from.

    Two evaluations of the same weights move together: with seeds enough by their own differences, with fewer by
    the spread of independent trainings, which is more.
    """
    counts = len(left.values), len(right.values)
    if left.weights == right.weights and counts[0] == counts[1] >= FEWEST_PAIRED:
        own = spread_of(left.values - right.values, left.resamples - right.resamples)
        return [seeds_part(own, counts[0])], MEASURED
    if left.spread is None or right.spread is None:
        return [], UNKNOWN
    if left.spread is right.spread:
        return [seeds_part(left.spread, *counts)], left.spread_from
    parts = [seeds_part(side.spread, len(side.values)) for side in (left, right) if side.spread]
    return parts, left.spread_from


def _by_seed(
    results: Results, training: str, loops: int, metric: str
) -> tuple[np.ndarray, np.ndarray, tuple[str, int, int]] | None:
    """Values (n,) and resamples (n, B) in points, by rising seed; and the key of the first."""
    values = results.by_seed(training, loops, metric)
    keys = [(training, seed, loops) for seed in values]
    files = [results.resamples.get(key) for key in keys]
    there = [file for file in files if file and metric in file.frame]
    if not there or len(there) < len(files) or len({file.pairing for file in there}) > 1:
        return None
    resamples = np.stack([file.frame[metric].to_numpy(dtype=float) for file in there]) * POINTS
    if np.mean(np.isnan(resamples).any(axis=0)) > MOST_MISSING:
        return None
    return np.array(list(values.values())) * POINTS, resamples, keys[0]


def _origin(results: Results, training: str, seed: int) -> str:
    """The training whose weights are evaluated: another one's, or its own."""
    return results.manifests.get((training, seed), {}).get("trained_as") or training


def _trained_here(results: Results, training: str) -> bool:
    """Whether its seeds are trainings of their own: not given, nor those of another."""
    found = [facts for (id_, _), facts in results.manifests.items() if id_ == training]
    return not any(facts.get("weights") or facts.get("trained_as") for facts in found)
