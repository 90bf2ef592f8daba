"""Whether the paper's claims hold, by our results and by the paper's own numbers."""

import csv
import io
from dataclasses import dataclass, replace
from pathlib import Path

from r3cnn.core.files import write_if_changed
from r3cnn.core.layout import NAMES, RunFolder

from ..results.intervals import taken_in
from ..results.load import Results
from ..results.setting import run_command, setting_of
from ..results.uncertainty import LEVEL, ON_A_LIMIT, Decision, decide_all, holm
from ..tables.spec import Spec
from .outcomes import (
    FAILS,
    HOLDS,
    NO_NUMBERS,
    NOT_JUDGED,
    NOT_RUN,
    UNDECIDED,
    Outcome,
    by_paper,
    by_results,
)
from .registered import registered_of
from .spec import OF_HISTOGRAMS, Check, Claim, Claims, Side

_QUANTITIES = {
    "bbox": "box", "segm": "mask", "parameters.trainable": "parameters (K)",
    "memory.training_gib": "training memory (GB)", "speed.images_per_second": "images/s",
    "iou.evenness": "evenness of IoU", "iou.share": "share of IoU above 0.7",
    "iou.distance": "distance of the IoU histograms",
}  # fmt: skip


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
    """A claim with its checks.

    decision: by all checks, before the correction for the number of claims; corrected: its p-value after it.
    visible: the smallest difference of AP, in points from its limit, that each check would have seen in four
    of five repetitions. miniature: not at the paper's scale. registered: see registered.py.
    """

    claim: Claim
    checks: tuple[Checked, ...]
    command: str
    decision: Decision | None
    corrected: float
    visible: float | None
    miniature: bool
    registered: str = ""

    @property
    def ours(self) -> str:
        """The claim by our results, corrected for the number of claims."""
        if self.decision and self.corrected <= 1 - LEVEL + ON_A_LIMIT:
            return HOLDS if self.decision.holds else FAILS
        statuses = [checked.ours.status for checked in self.checks]
        return next((s for s in (NOT_RUN, NO_NUMBERS, NOT_JUDGED) if s in statuses), UNDECIDED)

    @property
    def verdict(self) -> str:
        """The same in words: at which scale, on how many seeds."""
        if self.ours in (NOT_RUN, NO_NUMBERS, NOT_JUDGED):
            return self.ours
        scale = "in miniature: " if self.miniature else ""
        seeds = " (one seed, interval over images only)" if self.images_alone else " (one seed)"
        return f"{scale}{self.ours}{seeds if self.single_seed else ''}"

    @property
    def single_seed(self) -> bool:
        """Whether a check stands on one seed."""
        return any(checked.ours.single_seed for checked in self.checks)

    @property
    def images_alone(self) -> bool:
        """Whether the spread of seeds is unknown to a check."""
        return any(checked.ours.images_alone for checked in self.checks)

    @property
    def paper(self) -> str:
        """The claim by the paper's numbers."""
        return overall([checked.paper.status for checked in self.checks])


def rule_of(claims: Claims, results: Results) -> str:
    """How the claims are judged, in words."""
    return (
        "A check holds if its whole 95 % interval lies within its limits (ends included), fails if all of it "
        "lies outside, and is undecided otherwise. Our intervals of AP are paired between the two models, over "
        "the images and, for two evaluations of the same weights, over the seeds; they take in "
        f"{taken_in(results)}. A claim holds if all its checks do and fails if one does, corrected for the "
        f"number of claims, {len(claims.claims)} (Holm): a claim may be undecided though its checks hold. "
        "The smallest visible difference is how far from the limit the true value must be for this test to "
        "decide in four out of five repetitions. The paper's own numbers are judged without that correction, "
        f"by an interval of ±{claims.spreads['paper_ap']:g} AP."
    )


def overall(statuses: list[str]) -> str:
    """A claim's status of its checks', uncorrected."""
    for status in (FAILS, NOT_RUN, NO_NUMBERS, UNDECIDED):
        if status in statuses:
            return status
    return HOLDS


def judge(claims: Claims, spec: Spec, results: Results) -> list[Judged]:
    """Every claim, by our results and by the paper's numbers. Raises: UserError."""
    setting = setting_of(results)
    checks = [_checks(claim, claims.spreads, spec, results) for claim in claims.claims]
    if setting.meaningless:
        checks = [tuple(map(_unjudged, of_claim)) for of_claim in checks]
    decisions = [_decision(of_claim) for of_claim in checks]
    # What has not run counts: the number of claims must not depend on when one looks.
    corrected = holm([decision.p if decision else 1.0 for decision in decisions])
    strictest = 1 - (1 - LEVEL) / len(claims.claims)
    registered = registered_of(claims, results.folder)
    return [
        Judged(
            claim,
            of_claim,
            run_command(results, *_targets(claim, results)),
            decision,
            p,
            _visible(of_claim, strictest),
            not setting.comparable,
            registered[claim.name],
        )
        for claim, of_claim, decision, p in zip(
            claims.claims, checks, decisions, corrected, strict=True
        )
    ]


def _checks(
    claim: Claim, spreads: dict[str, float], spec: Spec, results: Results
) -> tuple[Checked, ...]:
    return tuple(
        Checked(
            check,
            _quantity(check.metric),
            _label(spec, check, check.left),
            _label(spec, check, check.right),
            by_results(check, spreads, results),
            by_paper(check, spreads, spec),
        )
        for check in claim.checks
    )


def _unjudged(checked: Checked) -> Checked:
    """The same without a status of ours: at this scale APs mean nothing."""
    if checked.ours.status not in (HOLDS, FAILS, UNDECIDED):
        return checked
    return replace(checked, ours=replace(checked.ours, status=NOT_JUDGED, decision=None))


def _decision(checks: tuple[Checked, ...]) -> Decision | None:
    """By all checks; with some missing a claim can fail, not hold."""
    found = [checked.ours.decision for checked in checks]
    there = [decision for decision in found if decision]
    if len(there) == len(found):
        return decide_all(there)
    # What is missing can neither make it hold nor be the one that fails.
    missing = [Decision(False, 1.0)] * (len(found) - len(there))
    return decide_all([*there, *missing]) if any(not d.holds for d in there) else None


def _visible(checks: tuple[Checked, ...], level: float) -> float | None:
    found = [
        float(checked.ours.estimate.visible(level))
        for checked in checks
        if checked.check.quantity == "difference" and checked.ours.estimate
    ]
    return max(found, default=None)


def write_claims(judged: list[Judged], out: Path) -> Path:
    """Write claims.csv: two lines a check, by our results and by the paper's. Raises: UserError."""
    names = ["claim", "numbers", "claim_status", "status", "says", "quantity", "left", "right",
             "left_value", "right_value", "compared", "value", "low", "high", "least", "most",
             "single_seed", "note", "verdict", "p", "claim_p", "claim_p_corrected", "visible",
             "registered"]  # fmt: skip
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(names)
    for item in judged:
        p = item.decision.p if item.decision else None
        of_claim = [item.verdict, p, item.corrected, item.visible, item.registered]
        for c in item.checks:
            writer.writerow(_line(item, c, "ours", c.ours, item.ours, of_claim))
            writer.writerow(_line(item, c, "paper", c.paper, item.paper, None))
    return write_if_changed(out / "claims.csv", buffer.getvalue())


def _line(
    item: Judged, c: Checked, numbers: str, outcome: Outcome, status: str, of_claim: list | None
) -> list[str]:
    values = (outcome.value, outcome.low, outcome.high, c.check.least, c.check.most)
    line = [
        item.claim.name, numbers, status, outcome.status, c.check.says, c.quantity,
        c.left_label, c.right_label, _plain(outcome.left), _plain(outcome.right),
        c.check.quantity, *map(_plain, values),
        "yes" if outcome.single_seed else "", outcome.note or item.claim.note,
    ]  # fmt: skip
    if of_claim is None:
        return [*line, "", "", "", "", "", ""]
    verdict, *ps, registered = of_claim
    own = outcome.decision.p if outcome.decision else None
    return [*line, verdict, _plain(own), *map(_plain, ps), registered]


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
