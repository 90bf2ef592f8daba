"""Validation while training: it changes no weight, and no fault loses or doubles a line of it."""

import json
import os
import signal

import pytest

from tests.faults.runs import EVERY_STEP, Run, command, die, train
from tests.faults.test_state import kill_one, resolved, together

pytestmark = pytest.mark.slow
CONTINUE = 85


@pytest.fixture(scope="module")
def validated(warm, base, data) -> Run:
    """A training of two epochs with validation that met no fault."""
    config = resolved(warm, base, data, base / "validated.py", validate={"every": 1})
    run = Run(config, base / "validated")
    ended = warm.run(base / "validated.log", train, run)
    assert ended.code == 0, ended.output
    assert "epoch 1/2, validation: " in ended.output
    assert "2/2, validation: box AP " in ended.output
    return run


def test_it_changes_nothing_else(validated, undisturbed):
    plain, found = undisturbed("r3_naive").result(), validated.result()
    assert plain.pop("validation") == []
    assert [line["epoch"] for line in found.pop("validation")] == [1, 2]
    assert found == plain


def scored(warm, run: Run) -> dict:
    """The last line as predict and score give it from the published checkpoint."""
    folder = run.folder
    annotations = run.config.parent / "data" / "annotations" / "instances_val2017.json"
    checkpoint = run.out / "checkpoint.pth"
    for words in (
        ("predict", "--config", run.config, "--checkpoint", checkpoint, "--loops", 2,
         "--out", folder / "p.parquet"),
        ("score", "--predictions", folder / "p.parquet", "--loops", 2,
         "--annotations", annotations, "--out", folder / "score.json"),
    ):  # fmt: skip
        ended = warm.run(folder / "scored.log", command, *words)
        assert ended.code == 0, ended.output
    found = json.loads((folder / "score.json").read_text())
    return {"epoch": 2, "loops": 2, "bbox_AP": found["bbox"]["AP"], "segm_AP": found["segm"]["AP"]}


def test_the_last_line_is_what_predict_and_score_say(warm, validated):
    assert validated.result()["validation"][-1] == scored(warm, validated)


def in_an_image(epoch: int, number: int) -> None:
    """In the middle of the images, die or get a signal."""
    from r3cnn.training import validation

    def predict_batch(*arguments):
        calls.append(1)
        if len(calls) == 4 * (epoch - 1) + 2:  # 4 images an epoch
            os.kill(os.getpid(), number)
        return original(*arguments)

    calls, original = [], validation.predict_batch
    validation.predict_batch = predict_batch


def before_the_line(epoch: int, _number: int) -> None:
    _die_around_the_line(epoch, after=False)


def after_the_line(epoch: int, _number: int) -> None:
    _die_around_the_line(epoch, after=True)


def _die_around_the_line(epoch: int, after: bool) -> None:
    from r3cnn.training.validation import Validation

    def write(validation):
        last = [line["epoch"] for line in validation.lines][-1:] == [epoch]
        if last and not after:
            die()
        original(validation)
        if last:
            die()

    original, Validation._write = Validation._write, write


@pytest.mark.parametrize("epoch", [1, 2])
@pytest.mark.parametrize(
    ("place", "number", "code"),
    [
        (in_an_image, signal.SIGKILL, -9),
        (in_an_image, signal.SIGTERM, CONTINUE),
        (before_the_line, signal.SIGKILL, -9),
        (after_the_line, signal.SIGKILL, -9),
    ],
)
def test_stopped_in_it(warm, validated, tmp_path, place, number, code, epoch):
    run = Run(validated.config, tmp_path)
    ended = warm.run(tmp_path / "first.log", train, run, place, epoch, number)
    assert ended.code == code, ended.output
    assert not run.out.exists()
    ended = warm.run(tmp_path / "second.log", train, run)
    assert ended.code == 0, ended.output
    assert run.result() == validated.result()


def test_two_processes_share_the_images(warm, base, data, tmp_path):
    """And the first one's statistics of BN count, as in its checkpoint; killed and resumed too."""
    config = resolved(
        warm, base, data, base / "shared.py", per_pass=1, validate={"every": 1}
    )  # fmt: skip
    whole, run = Run(config, tmp_path / "whole"), Run(config, tmp_path / "run", EVERY_STEP)
    assert together(warm, whole) == [0, 0]
    lines = whole.result()["validation"]
    assert [line["epoch"] for line in lines] == [1, 2]
    assert lines[-1] == scored(warm, whole)
    together(warm, run, kill_one, 6)
    assert together(warm, run) == [0, 0]
    assert run.result() == whole.result()
