"""Numbers as the paper prints them."""

from decimal import Decimal

import pytest

from reports.tables.numbers import difference, signed, summarise, verdict


@pytest.mark.parametrize(
    ("values", "form", "shown"),
    [
        ([0.382], "percent", "38.2"),
        ([0.38249999], "percent", "38.2"),
        ([0.3825], "percent", "38.3"),
        ([0.0], "percent", "0.0"),
        ([44_170_992], "thousands", "44170"),
        ([1_000], "thousands", "1"),
        ([339], "integer", "339"),
        ([5.449], "decimal", "5.4"),
    ],
)
def test_one_value(values: list[float], form: str, shown: str) -> None:
    number = summarise(values, form)
    assert (str(number.mean), number.std, number.n) == (shown, None, 1)


def test_several_seeds_give_the_mean_and_the_sample_deviation() -> None:
    number = summarise([0.38, 0.381, 0.382], "percent")
    assert (str(number.mean), str(number.std), number.n) == ("38.1", "0.10", 3)


@pytest.mark.parametrize(
    ("delta", "compare", "word"),
    [
        ("0.3", "ap", "match"),
        ("-0.3", "ap", "match"),
        ("0.4", "ap", "near"),
        ("-0.6", "ap", "near"),
        ("0.7", "ap", "different"),
        ("-0.1", "weights", "match"),
        ("0.2", "weights", "different"),
        ("0", "exact", "match"),
        ("1", "exact", "different"),
        ("9", "device", ""),
        ("9", "", ""),
    ],
)
def test_verdicts(delta: str, compare: str, word: str) -> None:
    assert verdict(Decimal(delta), compare, comparable=True) == word
    # At another scale, or on other data, only what is counted and equal is called anything.
    elsewhere = "exact" if (delta, compare) == ("0", "exact") else ""
    assert verdict(Decimal(delta), compare, comparable=False) == elsewhere


def test_signs() -> None:
    assert signed(difference(Decimal("38.3"), Decimal("38.2"))) == "+0.1"
    assert signed(difference(Decimal("38.1"), Decimal("38.2"))) == "\N{MINUS SIGN}0.1"
    assert signed(difference(Decimal("38.2"), Decimal("38.2"))) == "0.0"
    assert signed(Decimal("-0.1"), minus="-") == "-0.1"
