"""The rows of `make bench` at COCO's size, at a hundredth of it."""

import bench_coco
import pytest

pytestmark = pytest.mark.slow


def test_a_start_is_measured_both_ways():
    row = bench_coco.coco_start(3000, 22_000, rounds=1)  # 12 MB, above the least that is serialised
    assert {name: len(of["seconds"]) for name, of in row["times"].items()} == {
        "mapped": 1,
        "parsed": 1,
    }
    mapped, parsed = (of["seconds"][0] for of in row["times"].values())
    assert row["ratio"] == pytest.approx(mapped / parsed)
    assert row["ratio"] > 0  # no test judges a time
    assert row["gigabytes_parsed"] > 0


def test_the_command_score_is_timed_whole():
    row = bench_coco.score_command(images=30, objects=100, detections=10)
    assert 0 < row["times"]["score"]["seconds"][0] == pytest.approx(90 * row["ratio"])
