"""The interval of an AP, in points, over the images and the seeds; of a difference of two: differences.py.

Shapes: n seeds, B resamples of the images.
"""

import dataclasses
import functools
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .load import Results
from .setting import setting_of
from .uncertainty import (
    Estimate,
    Spread,
    estimate,
    images_part,
    outlying,
    pooled,
    seeds_part,
    spread_of,
)

POINTS = 100  # an AP of 1 in points
# Points of AP: the standard deviation of seeds of Mask R-CNN on COCO, of at least two tables of five seeds.
LITERATURE = {"bbox.AP": 0.1, "segm.AP": 0.1}
FREEDOM_OF_LITERATURE = 8
APS = {"box AP": "bbox.AP", "mask AP": "segm.AP"}
MOST_MISSING = 0.5  # share of the resamples that may have no such object
MEASURED, ELSEWHERE, UNKNOWN = "measured at this scale", "known from elsewhere", "unknown"


@dataclass(frozen=True)
class Scored:
    """A metric of one evaluation over its seeds, in points.

    seeds: n of them, rising. values (n,), resamples (n, B), pairing and images as in Resamples. weights: whose
    they are, the same for two evaluations of one model. spread: of seeds at this scale, and where it is known
    from.
    """

    seeds: tuple[int, ...]
    values: np.ndarray
    resamples: np.ndarray
    pairing: tuple[object, ...]
    images: int
    weights: tuple[Path, str]
    spread: Spread | None
    spread_from: str

    def of_seeds(self, seeds: Collection[int]) -> "Scored":
        """The same of some of its seeds."""
        chosen = np.isin(self.seeds, list(seeds))
        return dataclasses.replace(
            self,
            seeds=tuple(seed for seed in self.seeds if seed in seeds),
            values=self.values[chosen],
            resamples=self.resamples[chosen],
        )


@dataclass(frozen=True)
class Interval:
    """An estimate in points; over how many seeds (the fewer of two), and where their spread is known from.

    least: lower bound of the value; the upper bound is 100.
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
    seeds, values, resamples = found
    first = (training, seeds[0], loops)
    weights = weights_of(results, training, seeds[0])
    spread, spread_from = seed_spread(results, metric, weights[1])
    file = results.resamples[first]
    return Scored(seeds, values, resamples, file.pairing, file.images, weights, spread, spread_from)


def cell_interval(cell: Scored | None) -> Interval | None:
    """The mean over seeds."""
    if cell is None:
        return None
    parts = [images_part(cell.resamples.mean(axis=0), cell.images)]
    seeds = len(cell.seeds)
    if cell.spread:
        parts.append(seeds_part(cell.spread, seeds))
    return Interval(estimate(cell.values.mean(), parts), seeds, cell.spread_from, least=0.0)


def taken_in(results: Results) -> str:
    """What the intervals of this folder take in, in words."""
    drawn = sorted({len(file.frame) for file in results.resamples.values()})
    counts = " or ".join(f"{count:,}" for count in drawn) or "no"
    images = f"other validation images ({counts} resamples)"
    spreads = {name: seed_spread(results, metric) for name, metric in APS.items()}
    known = {name: (spread, where) for name, (spread, where) in spreads.items() if spread}
    if not known:
        return f"{images}, not other seeds, whose spread at this scale is unknown"
    sizes = " and ".join(
        f"{spread.variance**0.5:.2f} {name}" for name, (spread, _) in known.items()
    )
    where = next(iter(known.values()))[1]
    said = f"{images} and other seeds, whose standard deviation is {where}: {sizes}"
    if apart := sorted(_apart(results)):
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
        return Spread(LITERATURE[metric] ** 2, freedom=FREEDOM_OF_LITERATURE), ELSEWHERE
    return None, UNKNOWN


@functools.lru_cache(maxsize=256)
def _spreads(results: Results, metric: str) -> tuple[Spread | None, dict[str, Spread]]:
    """The pooled spread of the trainings that spread alike, and those of the others by id."""
    each = _spreads_of_trainings(results, metric)
    apart = {training: each.pop(training) for training in _apart(results) if training in each}
    return pooled(each.values()), apart


@functools.lru_cache(maxsize=16)
def _apart(results: Results) -> frozenset[str]:
    """The trainings whose seeds differ far more than others', by box or mask AP; then they are for any metric."""
    return frozenset().union(
        *(outlying(_spreads_of_trainings(results, metric)) for metric in APS.values())
    )


def _spreads_of_trainings(results: Results, metric: str) -> dict[str, Spread]:
    """By training; one with several L_e counts once, with their mean: the seeds are the same."""
    by_training: dict[str, list[Spread]] = {}
    for training, loops in results.evaluations():
        if _trained_here(results, training):
            found = _by_seed(results, training, loops, metric)
            if found and len(found[0]) > 1:
                by_training.setdefault(training, []).append(spread_of(*found[1:]))
    return {training: _mean(spreads) for training, spreads in by_training.items()}


def _mean(spreads: list[Spread]) -> Spread:
    variance, images = (
        float(np.mean([getattr(spread, name) for spread in spreads]))
        for name in ("variance", "images")
    )
    return Spread(variance, images, min(spread.freedom for spread in spreads))


def _by_seed(
    results: Results, training: str, loops: int, metric: str
) -> tuple[tuple[int, ...], np.ndarray, np.ndarray] | None:
    """The seeds, rising, with values (n,) and resamples (n, B) in points."""
    values = results.by_seed(training, loops, metric)
    keys = [(training, seed, loops) for seed in values]
    files = [results.resamples.get(key) for key in keys]
    there = [file for file in files if file and metric in file.frame]
    if not there or len(there) < len(files) or len({file.pairing for file in there}) > 1:
        return None
    resamples = np.stack([file.frame[metric].to_numpy(dtype=float) for file in there]) * POINTS
    if np.mean(np.isnan(resamples).any(axis=0)) > MOST_MISSING:
        return None
    return tuple(values), np.array(list(values.values())) * POINTS, resamples


def weights_of(results: Results, training: str, seed: int) -> tuple[Path, str]:
    """The folder and the training whose weights are evaluated: another one's, or its own."""
    origin = results.manifests.get((training, seed), {}).get("trained_as") or training
    return results.folder, origin


def _trained_here(results: Results, training: str) -> bool:
    """Whether its seeds are trainings of their own: not given, nor those of another."""
    found = [facts for (id_, _), facts in results.manifests.items() if id_ == training]
    return not any(facts.get("weights") or facts.get("trained_as") for facts in found)
