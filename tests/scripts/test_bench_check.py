"""The made-up data set of COCO's size is sound, at a small share of it."""

import bench_check
import pytest

from r3cnn.data.check import check


@pytest.mark.parametrize("run_lengths", [False, True])
def test_the_data_set_is_as_large_as_asked_for_and_sound(tmp_path, run_lengths):
    bench_check.make(tmp_path / "data", 0.0005, run_lengths)
    train = check(tmp_path / "data")["splits"]["train"]
    assert (train["image_count"], train["annotation_count"]) == (59, 430)
    assert 400 < train["object_count"] < 430
    assert train["crowd_count"] == 430 - train["object_count"]
