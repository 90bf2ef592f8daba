"""Uncertainty of a mean over seeds and of a difference of two: from the images, the seeds, and both.

Shapes: B resamples of the images, drawn alike for every seed and model; n seeds; ... any number of such things at
once. Variances are in the values' unit squared.
Sources: Satterthwaite (Biometrics Bulletin 2:110, 1946), Holm (Scand. J. Statist. 6:65, 1979), Cochran (Annals of
Eugenics 11:47, 1941).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import (  # of F and of Student's t; scipy.stats imports for a second
    fdtrc,
    stdtr,
    stdtrit,
)

LEVEL = 0.95
POWER = 0.8
OUTLYING = 0.01  # the level at which ISO 5725-2 takes a variance out of those that are pooled
ON_A_LIMIT = 1e-9  # what lies on a limit must not fall by the last bit of a float
Numbers = float | np.ndarray


@dataclass(frozen=True)
class Spread:
    """How the seeds of one training spread on the images of the evaluation.

    variance: between seeds, with `freedom` degrees of freedom. images: the part of it that other images would
    change, which the resamples of a seed hold already.
    """

    variance: Numbers
    images: Numbers = 0.0
    freedom: float = math.inf

    @property
    def beyond_images(self) -> Numbers:
        """What the seeds add to the variance over images."""
        return np.maximum(0.0, self.variance - self.images)


@dataclass(frozen=True)
class Part:
    """One source of variance of a mean: what it adds, and its measured size with degrees of freedom."""

    added: Numbers
    measured: Numbers
    freedom: float


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error and the degrees of freedom of that error."""

    value: Numbers
    error: Numbers
    freedom: Numbers = math.inf

    def interval(self, level: float = LEVEL) -> tuple[Numbers, Numbers]:
        """Both ends, symmetric about the value."""
        reach = self.error * stdtrit(self.freedom, (1 + level) / 2)
        return self.value - reach, self.value + reach

    def visible(self, level: float = LEVEL, power: float = POWER) -> Numbers:
        """How far from a limit the truth must lie for an interval of this level to decide that often."""
        quantiles = stdtrit(self.freedom, (1 + level) / 2) + stdtrit(self.freedom, power)
        return self.error * quantiles


@dataclass(frozen=True)
class Decision:
    """Whether what is asked holds, by the value alone, and the p-value of that answer."""

    holds: bool
    p: float


def images_part(resamples: np.ndarray, images: int) -> Part:
    """The variance over images of a metric (..., B), NaN where a resample has no such object.

    The resamples' own mean plays no part: AP is higher on images of which some are drawn twice.
    """
    variance = np.nanvar(resamples, axis=-1, ddof=1)
    return Part(variance, variance, max(images - 1, 1))


def seeds_part(spread: Spread, *seeds: int) -> Part:
    """What one spread adds to the variance of a mean over so many seeds, or of a difference of such means."""
    share = sum(1 / count for count in seeds)
    return Part(spread.beyond_images * share, spread.variance * share, spread.freedom)


def spread_of(values: np.ndarray, resamples: np.ndarray | None = None) -> Spread:
    """The spread of the values (..., n) of n >= 2 seeds; their resamples (..., n, B) tell the images' part."""
    freedom = np.shape(values)[-1] - 1
    variance = np.var(values, axis=-1, ddof=1)
    if resamples is None:
        return Spread(variance, freedom=freedom)
    odd = resamples - np.mean(resamples, axis=-2, keepdims=True)
    images = np.sum(np.nanvar(odd, axis=-1, ddof=1), axis=-1) / freedom
    return Spread(variance, images, freedom)


def pooled(spreads: Iterable[Spread]) -> Spread | None:
    """One spread of those of several trainings, weighted by their degrees of freedom; None of none."""
    found = list(spreads)
    if not found:
        return None
    freedom = sum(spread.freedom for spread in found)
    variance = sum(spread.variance * spread.freedom for spread in found) / freedom
    images = sum(spread.images * spread.freedom for spread in found) / freedom
    return Spread(variance, images, freedom)


def outlying(spreads: Mapping[str, Spread]) -> set[str]:
    """The trainings whose seeds spread far more than those of the others, at most a third, by Cochran's test.

    One training that broke with one seed would otherwise make the intervals of all others useless. Each candidate
    is compared with the pooled variance of those after it, so that two broken trainings do not hide each other.
    """
    order = sorted(spreads, key=lambda name: _suspicion(name, spreads))
    for count in range(len(order) // 3, 0, -1):
        least = spreads[order[count - 1]]
        if len(order) * _chance(least, [spreads[name] for name in order[count:]]) < OUTLYING:
            return set(order[:count])
    return set()


def _suspicion(name: str, spreads: Mapping[str, Spread]) -> tuple[float, float]:
    """Sorts the least likely first: not by the variance, which with fewer seeds is larger by chance."""
    own = spreads[name]
    others = [spread for other, spread in spreads.items() if other != name]
    return _chance(own, others), -float(own.variance)


def _chance(own: Spread, others: Sequence[Spread]) -> float:
    """How likely so large a variance is if the training spreads as the others do."""
    together = pooled(others)
    if together is None or own.variance <= together.variance:
        return 1.0
    ratio = own.variance / together.variance if together.variance else math.inf
    return float(fdtrc(own.freedom, together.freedom, ratio))


def estimate(value: Numbers, parts: Sequence[Part]) -> Estimate:
    """The value with the variances of independent parts; degrees of freedom by Satterthwaite."""
    variance = sum(part.added for part in parts)
    doubt = np.asarray(sum(part.measured**2 / part.freedom for part in parts))
    fewest = min(part.freedom for part in parts)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = np.where(doubt > 0, np.maximum(variance**2 / doubt, fewest), math.inf)
    return Estimate(value, np.sqrt(variance), freedom)


def given_reach(value: float, reach: float) -> Estimate:
    """A value whose 95 % interval is given: so far to both sides."""
    return Estimate(value, reach / float(stdtrit(math.inf, (1 + LEVEL) / 2)))


def decide(found: Estimate, least: float | None, most: float | None) -> Decision:
    """Does the value lie within the limits (ends included)?

    p: one minus the level whose interval just touches a limit: the nearer limit if the value is inside, the
    crossed one if it is outside.
    """
    above = math.inf if least is None else found.value - least
    below = math.inf if most is None else most - found.value
    room = min(above, below)
    holds = room >= -ON_A_LIMIT
    if not found.error:
        return Decision(holds, 0.0)
    return Decision(holds, 2 * float(stdtr(found.freedom, -abs(room) / found.error)))


def decide_all(checks: Sequence[Decision]) -> Decision:
    """Of a claim that holds if all its checks do, and fails if one does.

    All must hold: the largest p. One that fails is enough: the smallest of those, times the number of checks.
    """
    failing = [check.p for check in checks if not check.holds]
    if failing:
        return Decision(False, min(1.0, min(failing) * len(checks)))
    return Decision(True, max(check.p for check in checks))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values corrected for their number, in the order given: by Holm's step-down rule."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected
