"""Validation AP by epoch: the numbers of predict and score, a line an epoch, and nothing else changed."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from r3cnn.catalogue.scales import load_scale
from r3cnn.config.load import load_config
from r3cnn.config.resolve import resolve
from r3cnn.core.errors import UserError
from r3cnn.core.layout import StateFolder
from r3cnn.evaluation.predict import predict
from r3cnn.evaluation.score import score
from r3cnn.training.stopping import Interrupted
from r3cnn.training.validation import Validation
from r3cnn.weights.loading import load_detector
from tests.r3cnn import tiny


def validating(training: str, shapes: dict, folder: Path, every: int, epochs: int):
    """A config that validates, read from its file."""
    smoke = load_scale("smoke")
    schedules = {**smoke.schedules, "1x": {"epochs": epochs, "drops": []}}
    scale = dataclasses.replace(smoke, validate={"every": every}, schedules=schedules)
    return load_config(tiny.written(resolve(tiny.entry(training), scale, 0, shapes), folder))


@pytest.fixture
def validation(shapes: dict, tmp_path: Path) -> Validation:
    """Of r3_advanced, 5 epochs, asked for after every second one."""
    found = Validation(
        validating("r3_advanced", shapes, tmp_path, every=2, epochs=5), StateFolder(tmp_path)
    )
    found.begin(0)
    return found


def never() -> bool:
    return False


def lines_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("trained", ["looped", "plain"])
def test_the_line_holds_what_predict_and_score_say(trained, shapes, tmp_path, request):
    cfg, weights = request.getfixturevalue(trained)
    loops = cfg.r3cnn.loops_trained
    predict(cfg, weights, [loops], tmp_path / "p.parquet")
    score(tmp_path / "p.parquet", loops, Path(cfg.test_dataloader.dataset.ann_file), tmp_path / "s")
    scored = json.loads((tmp_path / "s").read_text())
    assert scored["bbox"]["AP"] is not None

    cfg = validating(cfg.r3cnn.training, shapes, tmp_path, every=1, epochs=2)
    detector = load_detector(cfg, weights).train()
    before = {name: value.clone() for name, value in detector.state_dict().items()}
    found = Validation(cfg, StateFolder(tmp_path))
    found.begin(0)
    found.run(detector, 1, never)
    [line] = lines_of(tmp_path / "validation.jsonl")
    assert line.pop("seconds") > 0
    aps = {f"{kind}_AP": scored[kind]["AP"] for kind in ("bbox", "segm")}
    assert line == {"epoch": 1, "loops": loops, **aps}
    assert detector.training
    after = detector.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_which_epochs_are_due(validation):
    assert [epoch for epoch in range(6) if validation.due(epoch)] == [2, 4, 5]
    validation.lines.append({"epoch": 2, "seconds": 3.0})
    assert [epoch for epoch in range(6) if validation.due(epoch)] == [4, 5]


def test_the_time_left_counts_those_to_come(validation):
    assert validation.to_come() == (0.0, " and 3 validations")
    validation.lines.append({"epoch": 2, "seconds": 3.0})
    assert validation.to_come() == (6.0, ", 2 validations included")
    validation.lines += [{"epoch": 4, "seconds": 4.0}, {"epoch": 5, "seconds": 4.0}]
    assert validation.to_come() == (0.0, "")


def test_lines_of_epochs_that_were_lost_go(validation, tmp_path):
    for epoch in (2, 4):
        validation.lines.append({"epoch": epoch, "seconds": 1.0})
    validation._write()
    again = Validation(validation.cfg, StateFolder(tmp_path))
    again.begin(3)
    assert [line["epoch"] for line in lines_of(again.path)] == [2]
    assert again.due(4)


def test_a_signal_leaves_no_line(validation, looped):
    detector = load_detector(validation.cfg, looped[1]).train()
    asked = []
    with pytest.raises(Interrupted, match="validation after epoch 2"):
        validation.run(detector, 2, lambda: asked.append(1) or len(asked) > 2)
    assert len(asked) == 3
    assert detector.training
    assert validation.path.read_text() == ""
    assert validation.due(2)


def test_who_lost_the_lease_writes_no_line(validation, looped):
    def require() -> None:
        raise UserError("lost")

    with pytest.raises(UserError, match="lost"):
        validation.run(load_detector(validation.cfg, looped[1]), 2, never, require)
    assert validation.path.read_text() == ""


def test_off_at_smoke_after_each_1x_at_mini_every_epoch_at_paper(looped, tmp_path):
    every = {name: load_scale(name).validate for name in ("smoke", "mini", "paper")}
    assert every == {"smoke": None, "mini": {"every": 6}, "paper": {"every": 1}}
    found = Validation(looped[0], StateFolder(tmp_path))
    found.begin(0)
    assert found.path.read_text() == ""
    assert not any(found.due(epoch) for epoch in range(3))
    assert found.to_come() == (0.0, "")
