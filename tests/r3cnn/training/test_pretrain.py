"""Pre-training of the small scales' backbone, neck and RPN, in two short lessons."""

import logging

import pytest
import torch
from click.testing import CliRunner

from r3cnn.catalogue.scales import load_scale
from r3cnn.cli.pretrain import pretrain as command
from r3cnn.config.resolve import resolve
from r3cnn.core.files import sha256_of
from r3cnn.training import pretrain
from r3cnn.training.lessons import Lesson
from r3cnn.weights import checkpoint
from r3cnn.weights.building import build_detector
from tests.r3cnn import tiny

SHORT = (Lesson(batch=8, epochs=2, lr=0.05), Lesson(batch=4, epochs=1, lr=0.02))
SMOKE = load_scale("smoke")


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrain, "IMAGES", 12)
    monkeypatch.setattr(pretrain, "LEFT_OUT", 4)
    monkeypatch.setattr(pretrain, "CROPS", SHORT[0])
    monkeypatch.setattr(pretrain, "PROPOSALS", SHORT[1])


def test_the_command_writes_weights_and_card(tmp_path):
    out = tmp_path / "shapes.pth"
    result = CliRunner().invoke(command, ["--scale", "smoke", "--out", str(out)])
    assert result.exit_code == 0, result.output
    weights, card = checkpoint.load(out), out.with_suffix(".md").read_text(encoding="utf-8")
    assert {value.dtype for value in weights.values()} == {torch.float16}
    detector = build_detector(tiny.config("mask_1x"), "meta").state_dict()
    parts = {
        n: v.shape for n, v in detector.items() if "roi_head" not in n and v.is_floating_point()
    }
    assert {name: value.shape for name, value in weights.items()} == parts
    assert sha256_of(out) in card
    assert sha256_of(out) in result.output


def test_the_same_seed_makes_the_same_file_and_all_of_it_is_trained(tmp_path):
    cfg = resolve(tiny.entry("mask_1x"), SMOKE, 0, None, "random")
    files = [tmp_path / f"{n}.pth" for n in range(3)]
    for file, seed in zip(files, (0, 0, 1), strict=True):
        pretrain.pretrain(SMOKE, cfg, file, seed)
    one, same, other = map(checkpoint.load, files)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["backbone.conv1.weight"], other["backbone.conv1.weight"])
    assert (
        float(one["backbone.layer4.0.bn3.weight"].abs().max()) > 0
    )  # zero where a training begins
    assert float(one["rpn_head.rpn_cls.bias"].abs().max()) > 0


def test_both_lessons_are_learnt(tmp_path, caplog, monkeypatch):
    """The loss falls; a lesson that trains nothing would show here."""
    monkeypatch.setattr(pretrain, "CROPS", Lesson(batch=16, epochs=12, lr=0.1))
    monkeypatch.setattr(pretrain, "PROPOSALS", Lesson(batch=4, epochs=10, lr=0.05))
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("r3cnn.training.lessons.EVERY", 1)
    cfg = resolve(tiny.entry("mask_1x"), SMOKE, 0, None, "random")
    pretrain.pretrain(SMOKE, cfg, tmp_path / "shapes.pth", 0)
    for name in ("crops", "proposals"):
        lines = [m for m in caplog.messages if m.startswith(f"{name}: step")]
        losses = [float(line.rpartition(" ")[2]) for line in lines]
        assert sum(losses[-4:]) < 0.9 * sum(losses[:4])


def test_a_scale_of_photographs_is_refused(tmp_path):
    result = CliRunner().invoke(command, ["--scale", "paper", "--out", str(tmp_path / "x.pth")])
    assert result.exit_code != 0
    assert "data: shapes" in str(result.exception)
