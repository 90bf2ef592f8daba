"""AP over IoU and gains over IoU: the numbers of the scores, with the intervals of the tables."""

from pathlib import Path

import numpy as np
import pytest

from r3cnn.core.records import AP_AT_IOU, IOU_PERCENT
from reports.figures.over_iou import ap_over_iou, counterparts, gain_over_iou
from reports.results.differences import difference_interval
from reports.results.intervals import cell_interval, scored
from reports.results.load import Results, load_results
from reports.results.setting import setting_of
from reports.tables.spec import DEFAULT_TABLES, load_spec
from tests.reports.folders import ResultFolder


def score(folder: ResultFolder, training: str, loops: int, level: float, seed: int = 0) -> None:
    """AP falls evenly from `level` at IoU 0.5 to nothing; resamples lie around `level` at every IoU."""
    of_kind = {name: level * (1 - i / 10) for i, name in enumerate(AP_AT_IOU)} | {"AP": level / 2}
    folder.train(training, seed, loops_trained=1 if training == "mask_1x" else 3)
    halved = {name: value / 2 for name, value in of_kind.items()}
    folder.score(training, loops, 0, 0, seed=seed, bbox=of_kind, segm=halved)
    folder.resample(training, loops, level, seed=seed)


@pytest.fixture
def results(smoke: ResultFolder) -> Results:
    score(smoke, "mask_1x", 1, 0.4)
    score(smoke, "htc", 3, 0.5)
    for loops in (1, 3):
        score(smoke, "r3_naive_inc", loops, 0.4 + loops / 20)
    smoke.train("r3_2loops", loops_trained=2)
    smoke.score("r3_2loops", 2, 0.3, 0.2)  # scored before version 0.2: two thresholds alone
    return load_results(smoke.path)


def test_ap_over_iou(results: Results) -> None:
    frame = ap_over_iou(results, setting_of(results)).frame
    assert len(frame) == 4 * 2 * len(IOU_PERCENT)
    assert set(frame["training"]) == {"mask_1x", "htc", "r3_naive_inc"}
    one = frame[
        (frame["training"] == "r3_naive_inc") & (frame["L_e"] == 3) & (frame["kind"] == "mask")
    ]
    assert one["IoU"].tolist() == [percent / 100 for percent in IOU_PERCENT]
    np.testing.assert_allclose(
        one["AP"], [100 * 0.55 / 2 * (1 - i / 10) for i in range(10)], atol=1e-4
    )
    interval = cell_interval(scored(results, "r3_naive_inc", 3, "segm.AP60"))
    np.testing.assert_allclose(
        one.iloc[2][["low", "high"]].astype(float), interval.bounds, atol=1e-4
    )


def test_a_row_is_set_against_its_counterparts(results: Results) -> None:
    found = counterparts(load_spec(), results)
    assert set(found) == {
        (("htc", 3), ("mask_1x", 1)),
        (("r3_naive_inc", 3), ("htc", 3)),
        (("r3_naive_inc", 3), ("r3_naive_inc", 1)),
        (("r3_2loops", 2), ("r3_naive_inc", 3)),
    }
    frame = gain_over_iou(load_spec(), results, setting_of(results)).frame
    assert set(frame["compared"]) == {
        "htc minus mask_1x", "r3_naive_inc minus htc", "r3_naive_inc minus itself with L_e = 1",
    }  # fmt: skip
    one = frame[
        (frame["against"] == "htc") & (frame["kind"] == "box") & (frame["IoU"] == 0.75)
    ].iloc[0]
    assert one["difference"] == pytest.approx(100 * (0.55 - 0.5) * 0.5, abs=1e-4)
    sides = [scored(results, id_, 3, "bbox.AP75") for id_ in ("r3_naive_inc", "htc")]
    bounds = difference_interval(*sides).bounds
    assert (one["low"], one["high"]) == pytest.approx(bounds, abs=1e-4)


def test_the_row_that_a_table_names_is_a_counterpart(smoke: ResultFolder) -> None:
    score(smoke, "r3_naive_inc", 3, 0.5)
    score(smoke, "mask_matched", 1, 0.4)
    results = load_results(smoke.path)
    spec = load_spec(DEFAULT_TABLES.with_name("controls.yaml"))
    assert (("r3_naive_inc", 3), ("mask_matched", 1)) in counterparts(spec, results)


def test_they_are_drawn_the_same_each_time_and_without_results(
    results: Results, tmp_path: Path
) -> None:
    chart = gain_over_iou(load_spec(), results, setting_of(results))
    assert chart.svg() == gain_over_iou(load_spec(), results, setting_of(results)).svg()
    assert chart.summary.startswith(
        "Gain over IoU, points of AP over IoU needed: htc minus mask_1x, "
    )
    empty = ResultFolder(tmp_path / "results" / "none")
    empty.data()
    nothing = load_results(empty.path)
    for none in (
        ap_over_iou(nothing, setting_of(nothing)),
        gain_over_iou(load_spec(), nothing, setting_of(nothing)),
    ):
        assert none.frame.empty
        assert none.svg().startswith(b"<?xml")
