"""The weights of a training for another evaluation of them."""

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from r3cnn.catalogue.scales import load_scale
from r3cnn.cli.main import main
from r3cnn.config.load import load_config
from r3cnn.config.resolve import resolve
from r3cnn.weights.loading import load_detector
from tests.r3cnn import tiny

FLOW = "model.roi_head.mask_flow"


@pytest.fixture
def trained(shapes: dict, tmp_path: Path) -> Path:
    """A finished training of r3_naive_inc, of drawn weights."""
    folder = tmp_path / "trained"
    folder.mkdir()
    tiny.untrained("r3_naive_inc", shapes, folder)
    (folder / "iou_histogram.csv").write_text("counts")
    (folder / "train.jsonl").write_text("log")
    facts = {"training": "r3_naive_inc", "seed": 0, "seconds": 9.0, "attempts": [{"seconds": 9.0}]}
    (folder / "manifest.json").write_text(json.dumps(facts))
    return folder


def reuse(shapes: dict, folder: Path, trained: Path, **options: object):
    entry = tiny.entry("r3_naive_inc", id="again", options=options)
    config = folder / "again.py"
    config.write_text(resolve(entry, load_scale("smoke"), 0, shapes).pretty_text)
    words = [
        "reuse",
        "--config",
        str(config),
        "--trained",
        str(trained),
        "--out",
        str(folder / "out"),
    ]
    return CliRunner().invoke(main, words)


def test_an_evaluation_takes_the_weights_and_costs_nothing(shapes, trained, tmp_path):
    done = reuse(shapes, tmp_path, trained, **{FLOW: False})
    assert done.exit_code == 0, done.output
    out = tmp_path / "out"
    assert all(
        (out / name).read_bytes() == (trained / name).read_bytes()
        for name in ("checkpoint.pth", "iou_histogram.csv", "train.jsonl")
    )
    assert (out / "validation.jsonl").read_text() == ""
    facts = json.loads((out / "manifest.json").read_text())
    assert (facts["training"], facts["trained_as"], facts["seed"]) == ("again", "r3_naive_inc", 0)
    assert (facts["seconds"], facts["attempts"]) == (0.0, [])
    one = load_detector(load_config(trained / "config.py"), trained / "checkpoint.pth")
    other = load_detector(load_config(tmp_path / "again.py"), out / "checkpoint.pth")
    weights = other.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in one.state_dict().items())
    assert (one.roi_head.mask_flow, other.roi_head.mask_flow) == (True, False)


@pytest.mark.parametrize(
    "options",
    [{"model.roi_head.mask_flow_in_training": True}, {"optim_wrapper.optimizer.momentum": 0.5}],
)
def test_a_setting_that_training_reads_is_refused(shapes, trained, tmp_path, options):
    done = reuse(shapes, tmp_path, trained, **options)
    assert done.exit_code == 1
    assert done.output.startswith(
        f"error: {tmp_path / 'again.py'}: {next(iter(options))}: differs from"
    )
    assert not (tmp_path / "out").exists()


def test_a_training_that_has_not_ended_is_named(shapes, trained, tmp_path):
    (trained / "train.jsonl").unlink()
    done = reuse(shapes, tmp_path, trained, **{FLOW: False})
    assert done.exit_code == 1
    assert f"{trained / 'train.jsonl'}: no such file; finish that training first" in done.output
    assert not (tmp_path / "out" / "manifest.json").exists()
