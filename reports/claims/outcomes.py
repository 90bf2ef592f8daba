"""The outcome of one check of a claim: by our results, and by the paper's numbers."""

import statistics
from dataclasses import dataclass
from decimal import Decimal

from ..figures import histograms
from ..figures.figure2 import WEIGHTS_GIVEN
from ..results.differences import Side as Scores
from ..results.differences import difference_of
from ..results.intervals import UNKNOWN
from ..results.load import Results
from ..results.provenance import given_weights
from ..results.uncertainty import (
    ON_A_LIMIT,
    Decision,
    Estimate,
    decide,
    estimate,
    given_reach,
    seeds_part,
    spread_of,
)
from ..tables.numbers import published_number
from ..tables.spec import Spec
from .spec import OF_HISTOGRAMS, Check, Side

HOLDS, FAILS, UNDECIDED, NOT_RUN, NO_NUMBERS, NOT_JUDGED = (
    "holds", "fails", "undecided", "not run", "no numbers", "not judged",
)  # fmt: skip
NO_INTERVAL = "no interval: score both again on the same images"
IMAGES_ALONE = "spread between seeds unknown: the interval covers images only"


@dataclass(frozen=True)
class Outcome:
    """One check by one set of numbers: both sides, what is compared, its 95 % interval, the status by it.

    estimate, decision: with the standard error, and with a p-value; None if there is no interval.
    single_seed: one side has one seed; images_alone: and nothing is known of others.
    """

    status: str
    left: float | None = None
    right: float | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    single_seed: bool = False
    images_alone: bool = False
    note: str = ""
    estimate: Estimate | None = None
    decision: Decision | None = None


def status_of(low: float, high: float, least: float | None, most: float | None) -> str:
    """holds, fails or undecided: is the interval within the limits, outside, or neither?"""
    least = -float("inf") if least is None else least - ON_A_LIMIT
    most = float("inf") if most is None else most + ON_A_LIMIT
    if least <= low and high <= most:
        return HOLDS
    return FAILS if high < least or low > most else UNDECIDED


def by_results(check: Check, spreads: dict[str, float], results: Results) -> Outcome:
    """A check by our results. spreads: what is taken if none is measured."""
    if check.quantity in OF_HISTOGRAMS:
        return _of_histograms(check, spreads["histogram"], results)
    left, right = (
        results.values(side.training, side.loops, check.metric)
        for side in (check.left, check.right)
    )
    if not left or not right:
        return Outcome(NOT_RUN)
    if check.quantity == "ratio":
        spread = spreads[check.metric.partition(".")[0]]
        note = f"its spread is unknown: ±{spread:.0%} taken" if spread else ""
        means = [_as_published(check.metric, statistics.fmean(of)) for of in (left, right)]
        return _of_ratio(check, spread, *means, note)
    found = difference_of(
        *(Scores(results, side.training, side.loops) for side in (check.left, check.right)),
        check.metric,
    )
    if found is None:
        return Outcome(NOT_RUN)
    means = found.left, found.right
    if found.interval is None:
        return Outcome(UNDECIDED, *means, found.value, note=NO_INTERVAL)
    alone = found.interval.spread_from == UNKNOWN
    note = IMAGES_ALONE if alone else ""
    return _outcome(check, found.interval.estimate, means, found.interval.seeds == 1, alone, note)


def by_paper(check: Check, spreads: dict[str, float], spec: Spec) -> Outcome:
    """A check by the paper's own numbers."""
    left, right = (_published(spec, check, side) for side in (check.left, check.right))
    if left is None or right is None:
        return Outcome(NO_NUMBERS)
    if check.quantity == "ratio":
        spread = spreads[check.metric.partition(".")[0]]
        return _of_ratio(check, spread, float(left), float(right))
    found = given_reach(float(left - right), spreads["paper_ap"])
    return _outcome(check, found, (float(left), float(right)))


def _outcome(
    check: Check,
    found: Estimate,
    sides: tuple[float | None, float | None],
    single_seed: bool = False,
    images_alone: bool = False,
    note: str = "",
) -> Outcome:
    low, high = (float(bound) for bound in found.interval())
    return Outcome(
        status_of(low, high, check.least, check.most),
        *sides,
        float(found.value),
        low,
        high,
        single_seed,
        images_alone,
        note,
        found,
        decide(found, check.least, check.most),
    )


def _as_published(metric: str, value: float) -> float:
    """A measurement in the unit of the paper's tables: parameters in whole thousands."""
    return value // 1000 if metric == "parameters.trainable" else value


def _of_ratio(check: Check, spread: float, left: float, right: float, note: str = "") -> Outcome:
    if not right:
        return Outcome(UNDECIDED, left, right)
    value = left / right
    return _outcome(check, given_reach(value, value * spread), (left, right), note=note)


def _of_histograms(check: Check, spread: float, results: Results) -> Outcome:
    """By the seeds that both sides have; of one alone, with the spread that is taken."""
    seeds = histograms.seeds_of(results, check.left.training, check.right.training)
    compared = [_compared(check, results, seed) for seed in seeds]
    compared = [found for found in compared if found]
    if not compared:
        return _no_counts(check, results)
    lefts, rights, values = zip(*compared, strict=True)
    sides = tuple(statistics.fmean(s) if s[0] is not None else None for s in (lefts, rights))
    if len(values) == 1:
        note = f"one seed; the spread of seeds is unknown: ±{spread:g} taken"
        return _outcome(check, given_reach(values[0], spread), sides, single_seed=True, note=note)
    part = seeds_part(spread_of(values), len(values))
    return _outcome(check, estimate(statistics.fmean(values), [part]), sides)


def _compared(
    check: Check, results: Results, seed: int
) -> tuple[float | None, float | None, float] | None:
    """Left, right and what is compared, of one seed's histograms."""
    left, right = (
        histograms.bins_of(results, side.training, side.loops, seed)
        for side in (check.left, check.right)
    )
    if left is None or right is None:
        return None
    if check.quantity == "distance":
        return None, None, histograms.distance(left, right)
    measure = {"evenness": histograms.evenness, "share": histograms.share_above}[check.quantity]
    return measure(left), measure(right), measure(left) - measure(right)


def _no_counts(check: Check, results: Results) -> Outcome:
    """Not run; or without numbers, as given weights come without counts."""
    for side in (check.left, check.right):
        bins = histograms.bins_of(results, side.training, side.loops)
        if bins is None and given_weights(results, side.training):
            return Outcome(NO_NUMBERS, note=f"{side.training}: {WEIGHTS_GIVEN}")
    return Outcome(NOT_RUN)


def _published(spec: Spec, check: Check, side: Side) -> Decimal | None:
    table = spec.tables.get(check.table)
    for row in table.rows if table else ():
        if (row.training, row.loops) == (side.training, side.loops):
            for column in table.columns:
                if column.key == check.metric and column.published:
                    return published_number(row.published.get(column.published, ""))
    return None
