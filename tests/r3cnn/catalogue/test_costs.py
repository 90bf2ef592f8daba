"""What the jobs of a run cost, compared with each other."""

import pytest

from r3cnn.catalogue.costs import PREDICTED, PROCESS, job_cost, relative_costs
from r3cnn.catalogue.scales import load_scale
from r3cnn.catalogue.trainings import load_catalogue

PAPER = load_catalogue().trainings


def test_costs_are_those_of_the_file_compared_with_mask_rcnn():
    found = relative_costs(PAPER.values())
    assert found["mask_1x"] == found["mask_3x"] == 1
    assert found["htc"] == pytest.approx(27.3 / 21.5)
    assert found["r3_naive_dec"] == found["r3_naive_inc"] == pytest.approx(24.5 / 21.5)
    assert set(found) == set(PAPER)


def test_a_training_that_was_not_measured_costs_the_median(tmp_path):
    (tmp_path / "own.yaml").write_text("trainings: {mine: {model: r3_naive, iou: [0.5, 0.6]}}\n")
    found = relative_costs(load_catalogue(tmp_path / "own.yaml").trainings.values())
    assert found["mine"] == pytest.approx(29.5 / 21.5)


def test_a_training_costs_its_images_and_a_prediction_its_own():
    quick = load_scale("quick")  # 3 and 9 epochs
    images = {"train": 270, "val": 150}
    for id_, epochs in (("mask_1x", 3), ("mask_3x", 9)):
        assert job_cost("train", PAPER[id_], quick, images, 2.0) == PROCESS + 2 * 270 * epochs
    assert job_cost("predict", PAPER["htc"], quick, images, 2.0) == PROCESS + PREDICTED * 2 * 150
    assert job_cost("score", PAPER["htc"], quick, images, 2.0) == PROCESS
    assert job_cost("report", None, quick, images, 0.0) == PROCESS
