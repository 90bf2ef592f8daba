"""Numbers as the paper prints them. Decimal throughout: the number shown is the number compared."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal

from ..results.setting import MATCH, NEAR, SAME_WEIGHTS

# factor, smallest step shown, rounding
_FORMATS = {
    "percent": (Decimal(100), Decimal("0.1"), ROUND_HALF_UP),
    "thousands": (Decimal("0.001"), Decimal(1), ROUND_FLOOR),
    "giga": (Decimal("1e-9"), Decimal(1), ROUND_HALF_UP),
    "integer": (Decimal(1), Decimal(1), ROUND_HALF_UP),
    "decimal": (Decimal(1), Decimal("0.1"), ROUND_HALF_UP),
}


@dataclass(frozen=True)
class Number:
    """A mean as shown, and the spread (sample standard deviation) over n seeds if n > 1."""

    mean: Decimal
    std: Decimal | None
    n: int


def summarise(values: Sequence[float], form: str) -> Number:
    """Mean and spread of raw values (AP 0..1, parameters as a count) in the form's unit."""
    factor, step, rounding = _FORMATS[form]
    exact = [Decimal(repr(float(value))) * factor for value in values]
    mean = sum(exact, Decimal(0)) / len(exact)
    std = None
    if len(exact) > 1:
        # A spread of seeds is small next to the step of the mean.
        std = Decimal(statistics.stdev(exact)).quantize(step / 10, ROUND_HALF_UP)
    return Number(_plain_zero(mean.quantize(step, rounding)), std, len(exact))


def published_number(text: str) -> Decimal | None:
    """A published number, None where the paper gives none."""
    return Decimal(text) if text else None


def difference(ours: Decimal, paper: Decimal) -> Decimal:
    """Ours as shown minus the paper's."""
    return _plain_zero(ours - paper)


def verdict(delta: Decimal, compare: str, comparable: bool) -> str:
    """How far ours is from the paper: match, near or different; '' where nothing is judged.

    comparable: whether anything is. Where it is not, a number that is no measurement (`exact`) and equals
    the paper's is called exact, which is a fact.
    """
    if not comparable:
        return "exact" if compare == "exact" and delta == 0 else ""
    if compare == "exact":
        return "match" if delta == 0 else "different"
    if compare == "weights":
        return "match" if abs(delta) <= SAME_WEIGHTS else "different"
    if compare == "ap":
        return "match" if abs(delta) <= MATCH else "near" if abs(delta) <= NEAR else "different"
    return ""


def signed(delta: Decimal, minus: str = "\N{MINUS SIGN}") -> str:
    """A difference with its sign, zero without one."""
    if delta == 0:
        return str(delta)
    return f"+{delta}" if delta > 0 else f"{minus}{abs(delta)}"


def _plain_zero(value: Decimal) -> Decimal:
    return abs(value) if value == 0 else value
