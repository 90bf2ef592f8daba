"""A kept row is verified by training its first steps again."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from r3cnn.catalogue import load_scale
from r3cnn.config.load import load_config
from r3cnn.config.resolve import resolve
from r3cnn.core.errors import UserError
from r3cnn.core.layout import TrainingFolder
from r3cnn.core.source_hash import source_hash
from r3cnn.training.trainer import Trainer
from r3cnn.training.verify import verify
from tests.r3cnn import tiny

FORMER = "0" * 64


@pytest.fixture(scope="module")
def trained(shapes: dict, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Config, log and manifest of a few steps, thinned as `keep` does."""
    scale = dataclasses.replace(load_scale("smoke"), batch=2, per_pass=2)
    out = TrainingFolder(tmp_path_factory.mktemp("kept"))
    config = tiny.written(resolve(tiny.entry("mask_1x"), scale, 0, shapes), out.path)
    trainer = Trainer(load_config(config), out.path / "state")
    trainer.run_steps(3)
    lines = trainer.log.path.read_text().splitlines(keepends=True)
    out.log.write_text(lines[0] + lines[2])
    out.manifest.write_text(json.dumps({"training": "mask_1x", "source_sha256": FORMER}))
    return out.path


@pytest.fixture
def kept(trained: Path, tmp_path: Path) -> TrainingFolder:
    return TrainingFolder(Path(shutil.copytree(trained, tmp_path / "seed0")))


def test_equal_lines_are_recorded_once(kept: TrainingFolder) -> None:
    assert verify(kept) == 2
    assert verify(kept) == 2
    manifest = json.loads(kept.manifest.read_text())
    assert manifest["source_sha256"] == FORMER
    (entry,) = manifest["verified"]
    assert entry["source_sha256"] == source_hash("training")
    assert entry["steps"] == 3


def test_a_loss_that_differs_in_its_last_digit_is_refused(kept: TrainingFolder) -> None:
    lines = [json.loads(line) for line in kept.log.read_text().splitlines()]
    lines[1]["loss_cls"] += 1e-6
    kept.log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(UserError, match="iteration 3: retraining gives"):
        verify(kept)
    assert "verified" not in json.loads(kept.manifest.read_text())


def test_a_log_without_the_first_steps_is_refused(kept: TrainingFolder) -> None:
    kept.log.write_text(json.dumps({"iteration": 60, "loss": 1.0}) + "\n")
    with pytest.raises(UserError, match="no line of the first 50 steps"):
        verify(kept)
