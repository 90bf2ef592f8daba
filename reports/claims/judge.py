"""Whether the paper's claims hold, by our results and by the paper's own numbers."""

import csv
import io
import statistics
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from r3cnn.core.files import write_if_changed
from r3cnn.core.layout import NAMES, RunFolder

from ..figures import histograms
from ..figures.figure2 import WEIGHTS_GIVEN
from ..results.intervals import SEED_SPREAD, difference_interval
from ..results.load import Results
from ..results.provenance import given_weights
from ..results.setting import run_command
from ..tables.numbers import published_number
from ..tables.spec import Spec
from .spec import OF_HISTOGRAMS, Check, Claim, Claims, Side

HOLDS, FAILS, UNDECIDED, NOT_RUN, NO_NUMBERS = (
    "holds", "fails", "undecided", "not run", "no numbers",
)  # fmt: skip
_QUANTITIES = {
    "bbox": "box", "segm": "mask", "parameters.trainable": "parameters (K)",
    "memory.training_gib": "training memory (GB)", "speed.images_per_second": "images/s",
    "iou.evenness": "evenness of IoU", "iou.share": "share of IoU above 0.7",
    "iou.distance": "distance of the IoU histograms",
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """One check by one set of numbers: both sides, what is compared, its interval, the status."""

    status: str
    left: float | None = None
    right: float | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    single_seed: bool = False
    note: str = ""


@dataclass(frozen=True)
class Checked:
    """A check with what came out; the labels name the cells that it uses."""

    check: Check
    quantity: str
    left_label: str
    right_label: str
    ours: Outcome
    paper: Outcome

    @property
    def limits(self) -> str:
        """The limits in words."""
        least, most = self.check.least, self.check.most
        if least is None:
            return f"at most {most:g}"
        if most is None:
            return f"at least {least:g}"
        return f"{least:g} to {most:g}"


@dataclass(frozen=True)
class Judged:
    """A claim with its checks."""

    claim: Claim
    checks: tuple[Checked, ...]
    command: str

    @property
    def ours(self) -> str:
        """The claim by our results."""
        return overall([checked.ours.status for checked in self.checks])

    @property
    def paper(self) -> str:
        """The claim by the paper's numbers."""
        return overall([checked.paper.status for checked in self.checks])


def rule_of(claims: Claims) -> str:
    """How the claims are judged, in words."""
    width = SEED_SPREAD * 2**0.5
    return (
        "A check holds if the whole 95 % interval lies within its limits (ends included), fails if "
        "all of it lies outside, and is undecided otherwise; a claim holds if all its checks do, and "
        "fails if one does. Our intervals of AP come from 1,000 resamples of the validation images, "
        "paired between the two models. With one seed each end is moved out by the spread of seeds "
        f"known from elsewhere, {SEED_SPREAD} × √2 = {width:.2f} AP; with several by their own. For "
        f"the paper's own numbers ±{claims.spreads['paper_ap']:g} AP is taken. The limits were set "
        "before any run was looked at."
    )


def overall(statuses: list[str]) -> str:
    """A claim's status of its checks'."""
    for status in (FAILS, NOT_RUN, NO_NUMBERS, UNDECIDED):
        if status in statuses:
            return status
    return HOLDS


def status_of(low: float, high: float, least: float | None, most: float | None) -> str:
    """holds, fails or undecided: is the interval within the limits, outside, or neither?"""
    # What is exactly on a limit must not fall by the last bit of a float.
    least = -float("inf") if least is None else least - 1e-9
    most = float("inf") if most is None else most + 1e-9
    if least <= low and high <= most:
        return HOLDS
    return FAILS if high < least or low > most else UNDECIDED


def judge(claims: Claims, spec: Spec, results: Results) -> list[Judged]:
    """Every claim, by our results and by the paper's numbers. Raises: UserError."""
    judged = []
    for claim in claims.claims:
        checks = tuple(
            Checked(
                check,
                _quantity(check.metric),
                _label(spec, check, check.left),
                _label(spec, check, check.right),
                _ours(check, claims.spreads, results),
                _papers(check, claims.spreads, spec),
            )
            for check in claim.checks
        )
        judged.append(Judged(claim, checks, run_command(results, *_targets(claim, results))))
    return judged


def write_claims(judged: list[Judged], out: Path) -> Path:
    """Write claims.csv: two lines a check, by our results and by the paper's. Raises: UserError."""
    names = ["claim", "numbers", "claim_status", "status", "says", "quantity", "left", "right",
             "left_value", "right_value", "compared", "value", "low", "high", "least", "most",
             "single_seed", "note"]  # fmt: skip
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(names)
    for item in judged:
        for c in item.checks:
            for numbers, outcome, status in (
                ("ours", c.ours, item.ours),
                ("paper", c.paper, item.paper),
            ):
                values = (outcome.value, outcome.low, outcome.high, c.check.least, c.check.most)
                writer.writerow([
                    item.claim.name, numbers, status, outcome.status, c.check.says, c.quantity,
                    c.left_label, c.right_label, _plain(outcome.left), _plain(outcome.right),
                    c.check.quantity, *map(_plain, values),
                    "yes" if outcome.single_seed else "", outcome.note or item.claim.note,
                ])  # fmt: skip
    return write_if_changed(out / "claims.csv", buffer.getvalue())


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _quantity(metric: str) -> str:
    task, _, name = metric.partition(".")
    return _QUANTITIES.get(metric) or f"{_QUANTITIES.get(task, task)} {name}"


def _label(spec: Spec, check: Check, side: Side) -> str:
    if check.quantity in OF_HISTOGRAMS:
        loops = "all loops" if side.loops is None else f"loop {side.loops}"
        return f"Figure 2: {side.training}, {loops}"
    table = spec.tables.get(check.table)
    where = f"{table.title}: " if table else ""
    return f"{where}{side.training}, L_e = {side.loops}"


def _targets(claim: Claim, results: Results) -> list[str]:
    """The result files that a claim lacks."""
    targets = []
    for check in claim.checks:
        for side in (check.left, check.right):
            if check.quantity in OF_HISTOGRAMS:
                name = NAMES.training(side.training, 0).histogram
                trainings = RunFolder(results.folder).trainings(side.training)
                there = any(training.histogram.is_file() for training in trainings)
            elif check.quantity == "ratio":
                name = NAMES.measurement(side.training)
                there = side.training in results.measured
            else:
                name = NAMES.score(side.training, 0, side.loops)
                there = (side.training, side.loops) in results.evaluations()
            targets += [] if there else [name.as_posix()]
    return list(dict.fromkeys(targets))


def _ours(check: Check, spreads: dict[str, float], results: Results) -> Outcome:
    if check.quantity in OF_HISTOGRAMS:
        return _of_histograms(check, spreads["histogram"], results)
    left, right = (
        results.values(side.training, side.loops, check.metric)
        for side in (check.left, check.right)
    )
    if not left or not right:
        return Outcome(NOT_RUN)
    if check.quantity == "ratio":
        means = statistics.fmean(left), statistics.fmean(right)
        return _of_ratio(check, spreads, *means)
    sides = [(side.training, side.loops) for side in (check.left, check.right)]
    found = difference_interval(results.resamples, *sides, check.metric, left, right)
    means = statistics.fmean(left) * 100, statistics.fmean(right) * 100
    if found is None:
        note = "no interval: score both again on the same images"
        return Outcome(UNDECIDED, *means, means[0] - means[1], note=note)
    status = status_of(found.low, found.high, check.least, check.most)
    return Outcome(status, *means, found.value, found.low, found.high, found.single_seed)


def _of_ratio(check: Check, spreads: dict[str, float], left: float, right: float) -> Outcome:
    spread = spreads[check.metric.partition(".")[0]]
    if not right:
        return Outcome(UNDECIDED, left, right)
    if check.metric == "parameters.trainable" and left > 1e6:
        left, right = left // 1000, right // 1000  # as the paper prints them
    value = left / right
    low, high = value * (1 - spread), value * (1 + spread)
    status = status_of(low, high, check.least, check.most)
    return Outcome(status, left, right, value, low, high)


def _of_histograms(check: Check, spread: float, results: Results) -> Outcome:
    left = histograms.bins_of(results, check.left.training, check.left.loops)
    right = histograms.bins_of(results, check.right.training, check.right.loops)
    if left is None or right is None:
        sides = ((check.left, left), (check.right, right))
        given = [
            side.training
            for side, bins in sides
            if bins is None and given_weights(results, side.training)
        ]
        note = f"{given[0]}: {WEIGHTS_GIVEN}" if given else ""
        return Outcome(NO_NUMBERS if given else NOT_RUN, note=note)
    if check.quantity == "distance":
        sides, value = (None, None), histograms.distance(left, right)
    else:
        measure = {"evenness": histograms.evenness, "share": histograms.share_above}[check.quantity]
        sides = measure(left), measure(right)
        value = sides[0] - sides[1]
    low, high = value - spread, value + spread
    return Outcome(status_of(low, high, check.least, check.most), *sides, value, low, high)


def _papers(check: Check, spreads: dict[str, float], spec: Spec) -> Outcome:
    left, right = (_published(spec, check, side) for side in (check.left, check.right))
    if left is None or right is None:
        return Outcome(NO_NUMBERS)
    if check.quantity == "ratio":
        return _of_ratio(check, spreads, float(left), float(right))
    value, spread = left - right, Decimal(str(spreads["paper_ap"]))
    low, high = float(value - spread), float(value + spread)
    status = status_of(low, high, check.least, check.most)
    return Outcome(status, float(left), float(right), float(value), low, high)


def _published(spec: Spec, check: Check, side: Side) -> Decimal | None:
    table = spec.tables.get(check.table)
    for row in table.rows if table else ():
        if (row.training, row.loops) == (side.training, side.loops):
            for column in table.columns:
                if column.key == check.metric and column.published:
                    return published_number(row.published.get(column.published, ""))
    return None
