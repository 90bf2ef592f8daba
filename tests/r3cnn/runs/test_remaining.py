"""The share of all trainings that is done, and the time left."""

import pytest

from r3cnn.catalogue.scales import load_scale
from r3cnn.catalogue.trainings import load_catalogue
from r3cnn.runs.remaining import remaining
from r3cnn.runs.status import DONE, FAILED, RUNNING, WAITING, Status

# Costs of an epoch 1, 1 and 27.3 / 21.5; at scale smoke 2, 4 and 2 epochs.
CATALOGUE = """\
extends: nothing
trainings:
  mask_1x: {model: mask_rcnn}
  mask_3x: {model: mask_rcnn, schedule: 3x}
  htc: {model: htc}
"""


@pytest.fixture
def line(tmp_path):
    (tmp_path / "own.yaml").write_text(CATALOGUE)
    catalogue = load_catalogue(tmp_path / "own.yaml")

    def said(*states):
        found = [
            Status(id_, 0, state, "", seconds=seconds, seconds_left=left)
            for id_, (state, seconds, left) in zip(catalogue.trainings, states, strict=True)
        ]
        return remaining(found, catalogue, load_scale("smoke"))

    return said


def test_one_is_done_one_runs_one_waits(line):
    # 50 s a unit: 100 and 200 s, htc 127 s; left 60 + 127 of 427
    found = line((DONE, 100.0, None), (RUNNING, 200.0, 60.0), (WAITING, None, None))
    assert found == (
        "56% of the trainings' work is done; about 3 min left with 1 training at a time."
    )


def test_two_at_a_time(line):
    found = line((DONE, 100.0, None), (RUNNING, 200.0, 60.0), (RUNNING, 120.0, 80.0))
    assert found.endswith("about 80 s left with 2 trainings at a time.")


def test_a_failed_one_keeps_what_it_has_and_nothing_trains(line):
    found = line((DONE, 100.0, None), (FAILED, 200.0, 100.0), (DONE, 100.0, None))
    assert found == "75% of the trainings' work is done; nothing trains now."


def test_nothing_is_said_of_a_run_without_a_step_and_of_a_finished_one(line):
    assert line(*[(WAITING, None, None)] * 3) == ""
    assert line(*[(DONE, 10.0, None)] * 3) == ""
