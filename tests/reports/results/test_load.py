"""Result files -> the tidy frame, and files that are not what their names say."""

from pathlib import Path

import pytest

from r3cnn.core.errors import UserError
from reports.results.load import COLUMNS, load_histogram, load_results
from tests.reports.folders import ResultFolder


def values(frame, **keys: object) -> list[float]:
    for key, value in keys.items():
        frame = frame[(frame[key] == value).fillna(False)]
    return frame["value"].tolist()


def test_scores_and_measurements_stand_in_one_frame(smoke: ResultFolder) -> None:
    smoke.score("htc", 3, 0.4, 0.3)
    smoke.score("htc", 3, 0.5, 0.3, seed=1)
    smoke.measure("htc", speed={"3": {"images_per_second": 1.5, "images": 4}})
    frame = load_results(smoke.path).frame
    assert list(frame.columns) == COLUMNS
    assert values(frame, training="htc", loops=3, metric="bbox.AP") == [0.4, 0.5]
    assert values(frame, metric="parameters.trainable") == [44170992]
    assert values(frame, metric="speed.images_per_second", loops=3) == [1.5]
    missing = frame[frame["metric"] == "bbox.APs"]
    assert len(missing) == 2
    assert missing["value"].isna().all()


def test_an_empty_folder_gives_an_empty_frame(tmp_path: Path) -> None:
    results = load_results(tmp_path)
    assert results.frame.empty
    assert results.evaluations() == []
    assert results.data is None


def test_null_speed_and_memory_are_no_values(smoke: ResultFolder) -> None:
    smoke.measure("htc", speed=None, memory=None)
    metrics = set(load_results(smoke.path).frame["metric"])
    assert "parameters.trainable" in metrics
    assert not any(metric.startswith(("speed", "memory")) for metric in metrics)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": "mask_1x"}, "training: found 'mask_1x', expected 'htc'"),
        ({"loops": 2}, "loops: found 2, expected 3"),
        ({"segm": None}, "segm: found None"),
        ({"bbox": {"AP": 38.2}}, "bbox.AP: found 38.2, expected 0 to 1"),
        ({"bbox": {"AP": "0.4"}}, "bbox.AP: found '0.4'"),
    ],
)
def test_a_wrong_score_is_named(smoke: ResultFolder, changes: dict, message: str) -> None:
    smoke.score("htc", 3, None, None, **changes)
    with pytest.raises(UserError, match=message) as caught:
        load_results(smoke.path)
    assert "loops3.json" in str(caught.value)


def test_broken_json_is_named(smoke: ResultFolder) -> None:
    smoke.write("measurements/htc.json", '{"training": ')
    with pytest.raises(UserError, match=r"htc.json: not JSON \(line 1"):
        load_results(smoke.path)


def test_results_of_other_data_are_refused(smoke: ResultFolder) -> None:
    smoke.train("htc", data={"train_sha256": "elsewhere", "val_sha256": "val-checksum"})
    with pytest.raises(UserError, match=r"htc/seed0/manifest.json: data.train_sha256"):
        load_results(smoke.path)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        load_results(tmp_path / "absent")


def test_the_histogram_holds_all_seeds(smoke: ResultFolder) -> None:
    smoke.histogram("htc", 3, seed=0)
    smoke.histogram("htc", 3, seed=2)
    frame, seeds = load_histogram(smoke.path, "htc")
    assert seeds == [0, 2]
    assert len(frame) == 2 * 2 * 3 * 2 * 3 * 20
    assert load_histogram(smoke.path, "mask_1x") is None


def test_a_histogram_with_other_columns_is_named(smoke: ResultFolder) -> None:
    smoke.write("trainings/htc/seed0/iou_histogram.csv", "epoch,loop,count\n1,1,1\n")
    with pytest.raises(UserError, match=r"iou_histogram.csv: columns: found \['epoch'"):
        load_histogram(smoke.path, "htc")
