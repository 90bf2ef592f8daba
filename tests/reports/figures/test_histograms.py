"""Evenness, share above 0.7 and distance of IoU histograms."""

import math

import pandas as pd
import pytest

from reports.figures.histograms import bins_of, distance, evenness, share_above
from reports.results.load import load_results
from tests.reports.folders import ResultFolder

EDGES = [0.5 + n / 20 for n in range(10)]


def test_evenness_is_normalised_entropy() -> None:
    assert evenness([7] * 10) == pytest.approx(1)
    assert evenness([0, 5, 0, 0]) == 0
    halves = [1, 1, 0, 0]
    assert evenness(halves) == pytest.approx(math.log(2) / math.log(4))


def test_the_share_above_counts_the_bin_that_begins_there() -> None:
    assert share_above(pd.Series([1] * 10, index=EDGES)) == pytest.approx(0.6)


def test_distance_is_total_variation_of_shares() -> None:
    left = pd.Series([2, 2, 0, 0])
    assert distance(left, left * 10) == 0
    assert distance(left, pd.Series([0, 0, 1, 1])) == pytest.approx(1)
    assert distance(left, pd.Series([1, 1, 1, 1])) == pytest.approx(0.5)


def test_bins_are_those_of_one_loop_or_of_all(smoke: ResultFolder) -> None:
    smoke.counts("r3_naive_inc", [1] * 10, [2] * 10)
    results = load_results(smoke.path)
    assert bins_of(results, "r3_naive_inc", 2).tolist() == [2] * 10
    assert bins_of(results, "r3_naive_inc").tolist() == [3] * 10
    assert bins_of(results, "r3_naive_inc", 3) is None
    assert bins_of(results, "mask_3x") is None
