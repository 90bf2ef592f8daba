"""AP over multiply-adds: counted costs, by loops in evaluation."""

import pytest

from reports.figures.cost import ap_over_cost, ap_over_parameters
from reports.results.load import load_results
from reports.results.setting import setting_of
from tests.reports.folders import ResultFolder


def test_each_evaluation_is_a_point(smoke: ResultFolder) -> None:
    smoke.score("mask_1x", 1, 0.3, 0.2)
    smoke.measure(
        "mask_1x", multiply_adds={"1": {"total": 269_400_000_000, "modules": {"neck": 1}}}
    )
    for loops in (1, 3):
        smoke.score("r3_naive_inc", loops, 0.3 + loops / 100, 0.2)
    smoke.measure("r3_naive_inc")
    smoke.score("htc", 3, 0.4, 0.3)
    smoke.measure("htc", multiply_adds=None)  # measured before version 0.2
    results = load_results(smoke.path)
    chart = ap_over_cost(results, setting_of(results))
    box = chart.frame[chart.frame["kind"] == "box AP"]
    assert box[["training", "L_e", "giga_multiply_adds", "AP"]].values.tolist() == [
        ["mask_1x", 1, pytest.approx(269.4), 30], ["r3_naive_inc", 1, 250, 31], ["r3_naive_inc", 3, 350, 33],
    ]  # fmt: skip
    assert len(chart.frame) == 6
    assert chart.svg().startswith(b"<?xml")
    assert "mask AP" in chart.summary


def test_more_loops_of_one_head_need_no_more_parameters(smoke: ResultFolder) -> None:
    for loops in (1, 3):
        smoke.score("r3_naive_inc", loops, 0.3 + loops / 100, 0.2)
    smoke.measure("r3_naive_inc", parameters={"trainable": 43_912_000})
    results = load_results(smoke.path)
    chart = ap_over_parameters(results, setting_of(results))
    box = chart.frame[chart.frame["kind"] == "box AP"]
    assert box[["L_e", "million_parameters", "AP"]].values.tolist() == [
        [1, pytest.approx(43.912), 31],
        [3, pytest.approx(43.912), 33],
    ]
    assert chart.svg().startswith(b"<?xml")


def test_seventeen_trainings_are_told_apart(smoke: ResultFolder) -> None:
    for number in range(17):
        smoke.score(f"t{number:02}", 1, 0.3, 0.2)
        smoke.measure(f"t{number:02}")
    results = load_results(smoke.path)
    key = ap_over_cost(results, setting_of(results))._key
    assert len(key) == len({look for _, *pair in key for look in [tuple(pair)]}) == 17
