"""TIDE's breakdown over the loops in evaluation, from the files beside the scores."""

from pathlib import Path

import pytest

from r3cnn.core.errors import UserError
from r3cnn.core.records import TIDE
from reports.figures.anatomy import NAMES, errors_over_loops
from reports.results.errors import load_errors
from reports.results.load import load_results
from reports.results.setting import setting_of
from tests.reports.folders import ResultFolder


@pytest.fixture
def run(smoke: ResultFolder) -> ResultFolder:
    """A loop that trades localisation for duplicates, in two seeds; a model of one L_e; an older score."""
    for seed in (0, 1):
        for loops in (1, 3):
            smoke.score("r3_naive_inc", loops, 0.3, 0.2, seed=seed)
            smoke.errors("r3_naive_inc", loops, 0.08 / loops + seed * 0.02, 0.01 * loops, seed=seed)
    smoke.score("htc", 3, 0.3, 0.2)
    smoke.errors("htc", 3, 0.05, 0.02)
    smoke.score("mask_1x", 1, 0.3, 0.2)
    return smoke


def test_means_over_seeds_by_kind_and_loops(run: ResultFolder) -> None:
    results = load_results(run.path)
    assert results.evaluations() == [
        ("htc", 3),
        ("mask_1x", 1),
        ("r3_naive_inc", 1),
        ("r3_naive_inc", 3),
    ]
    chart = errors_over_loops(load_errors(results), setting_of(results))
    assert len(chart.frame) == 3 * 2 * len(TIDE)
    assert set(chart.frame["error"]) == set(NAMES.values())
    of = chart.frame.set_index(["training", "L_e", "kind", "error"])["costs"]
    assert of["r3_naive_inc", 1, "box", "localisation"] == pytest.approx(9)
    assert of["r3_naive_inc", 3, "mask", "localisation"] == pytest.approx(2 * (8 / 3 + 1), abs=1e-4)
    assert of["r3_naive_inc", 3, "box", "duplicate"] == pytest.approx(3)
    assert set(chart.drawn["training"]) == {"r3_naive_inc"}  # one L_e makes no line
    assert chart.svg() == errors_over_loops(load_errors(results), setting_of(results)).svg()


def test_without_such_files_there_is_no_chart(smoke: ResultFolder) -> None:
    smoke.score("mask_1x", 1, 0.3, 0.2)
    results = load_results(smoke.path)
    chart = errors_over_loops(load_errors(results), setting_of(results))
    assert chart.frame.empty
    assert chart.svg().startswith(b"<?xml")


def test_a_file_that_holds_something_else_is_named(run: ResultFolder) -> None:
    path = run.write(
        "scores/htc/seed0/loops3.errors.json", {"bbox": {"tide": {"gain": {"Loc": 1}}}}
    )
    results = load_results(Path(run.path))
    with pytest.raises(
        UserError, match=r"bbox\.tide: expected gain and count of Cls, Loc"
    ) as caught:
        load_errors(results)
    assert str(path) in str(caught.value)
