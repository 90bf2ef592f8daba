"""results.parquet: every number in one tidy table."""

from pathlib import Path

import pandas as pd
import pytest

from reports.results.load import load_results
from reports.results.setting import setting_of
from reports.results.tidy import TIDY_COLUMNS, tidy, write_tidy
from tests.reports.folders import PRESENT, ResultFolder


def written(folder: ResultFolder, out: Path) -> pd.DataFrame:
    results = load_results(folder.path)
    return pd.read_parquet(write_tidy(tidy(results, setting_of(results)), out))


def test_scores_measurements_and_intervals(smoke: ResultFolder, tmp_path: Path) -> None:
    smoke.train("htc")
    smoke.score("htc", 3, 0.4, 0.3)
    smoke.resample("htc", 3, 0.4)
    smoke.measure("htc")
    frame = written(smoke, tmp_path)
    assert tuple(frame.columns) == TIDY_COLUMNS
    row = frame[frame["metric"] == "bbox.AP"].iloc[0]
    assert (row["training"], row["loops"], row["seed"], row["value"]) == ("htc", 3, 0, 0.4)
    assert (row["low"], row["high"]) == (
        pytest.approx(0.3877, abs=1e-4),
        pytest.approx(0.4123, abs=1e-4),
    )
    assert row["source_sha256"] == PRESENT
    count = frame[frame["metric"] == "parameters.trainable"].iloc[0]
    assert count["value"] == 44170992
    assert pd.isna(count["seed"])
    assert count["device"] == "CPU, Some Processor, 2 threads"
    assert not frame.duplicated(["training", "loops", "seed", "metric"]).any()


def test_an_empty_folder_has_the_same_columns(smoke: ResultFolder, tmp_path: Path) -> None:
    frame = written(smoke, tmp_path)
    assert tuple(frame.columns) == TIDY_COLUMNS
    assert frame.empty


def test_an_interval_stays_within_0_and_1(smoke: ResultFolder, tmp_path: Path) -> None:
    for training, value in (("htc", 0.005), ("mask_1x", 0.995)):
        smoke.score(training, 3, value, value)
        smoke.resample(training, 3, value, spread=0.05)
    frame = written(smoke, tmp_path).set_index(["training", "metric"])
    assert frame.loc[("htc", "bbox.AP"), "low"] == 0
    assert frame.loc[("mask_1x", "bbox.AP"), "high"] == 1
