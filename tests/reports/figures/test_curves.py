"""The series of the interactive figures."""

import json

import pytest

from r3cnn.core.errors import UserError
from reports.figures.curves import MOST_POINTS, histogram_series, learning_series
from reports.results.load import load_results
from tests.reports.folders import ResultFolder


def test_every_epoch_loop_and_view_of_every_training(smoke: ResultFolder) -> None:
    smoke.histogram("r3_naive_inc", 3, epochs=2, seed=0)
    smoke.histogram("r3_naive_inc", 3, epochs=2, seed=1, factor=10)
    smoke.histogram("mask_1x", 1)
    series = histogram_series(load_results(smoke.path))
    assert set(series) == {"r3_naive_inc", "mask_1x"}
    of = series["r3_naive_inc"]
    assert (of["epochs"], of["loops"], of["seeds"]) == ([1, 2], [1, 2, 3], [0, 1])
    assert of["low"] == pytest.approx([n / 20 for n in range(20)])
    # counts[epoch][loop][bin] = (factor 1 + factor 10) * loop * bin
    assert of["counts"]["box"]["candidates"][1][2] == [11 * 3 * n for n in range(20)]
    assert of["counts"]["mask"]["positives"][0][0][4] == 11 * 4 + 2 * 1050


def test_losses_become_at_most_so_many_means_by_epoch(smoke: ResultFolder) -> None:
    smoke.curve("htc", 1000, epochs=4)
    of = learning_series(load_results(smoke.path))["htc"]["0"]
    assert len(of["x"]) == MOST_POINTS
    assert of["x"][-1] == pytest.approx(4, abs=0.02)
    first = sum(1 / n for n in range(1, 6)) / 5
    assert of["y"]["loss"][0] == pytest.approx(first, rel=1e-3)
    assert of["y"]["special"][0] == 5
    assert set(of["y"]) == {"loss", "special"}


def test_validation_by_epoch_is_read_where_it_is(smoke: ResultFolder) -> None:
    smoke.curve("htc", 4)
    lines = [
        {"epoch": epoch, "loops": loops, "bbox_AP": epoch / 10, "segm_AP": None}
        for epoch in (2, 1)
        for loops in (1, 3)
    ]
    smoke.write("trainings/htc/seed0/validation.jsonl", "\n".join(map(json.dumps, lines)))
    of = learning_series(load_results(smoke.path))["htc"]["0"]
    assert of["validation"]["3"] == {"x": [1, 2], "bbox_AP": [10, 20], "segm_AP": [None, None]}


@pytest.mark.parametrize("text", ["{", "[1]", '{"epoch": 1}'])
def test_a_broken_line_is_named(smoke: ResultFolder, text: str) -> None:
    smoke.write("trainings/htc/seed0/train.jsonl", '{"epoch": 1, "iteration": 1}\n' + text)
    with pytest.raises(UserError, match=r"train.jsonl: line 2"):
        learning_series(load_results(smoke.path))


def test_nothing_run_nothing_drawn(smoke: ResultFolder) -> None:
    results = load_results(smoke.path)
    assert histogram_series(results) == learning_series(results) == {}
