"""Dead units of a head are counted over all RoIs that it sees."""

import importlib
import shutil

import pytest
import torch
from torch import nn

from r3cnn.core.layout import RunFolder
from r3cnn.data.check import check
from r3cnn.data.synthetic.shapes import generate
from tests.r3cnn import tiny


@pytest.fixture(scope="module")
def script():
    return importlib.import_module("dead_units")


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes") / "data"
    generate(folder, train=2, val=2, width=96, height=64, classes=6, seed=0)
    return check(folder)


def test_a_unit_is_alive_if_any_roi_of_any_call_passes_it(script):
    layer = nn.Conv2d(1, 3, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1.0, -1.0, 0.0]).view(3, 1, 1, 1))
        layer.bias.copy_(torch.tensor([0.0, 0.0, -1.0]))
    head = nn.Sequential(layer, nn.ReLU())
    active = script.Active(head)
    head(torch.ones(4, 1, 2, 2))
    assert active.units["1 1"].tolist() == [True, False, False]
    mixed = torch.full((2, 1, 2, 2), 1.0)
    mixed[1, 0, 0, 1] = -1  # one place of one RoI
    head(mixed)
    assert active.units["1 1"].tolist() == [True, True, False]


def test_layers_that_share_a_relu_are_told_apart(script):
    relu, dead = nn.ReLU(), nn.Linear(2, 3)
    nn.init.zeros_(dead.weight)
    nn.init.constant_(dead.bias, -1)
    head = nn.Sequential(nn.Identity(), relu, dead, relu)
    active = script.Active(head)
    for _ in range(2):
        head(torch.ones(4, 2))
    assert {key: int(units.sum()) for key, units in active.units.items()} == {"1 1": 2, "1 2": 0}


@pytest.mark.parametrize(("training", "layers"), [("mask_1x", 2), ("r3_advanced", 2)])
def test_a_checkpoint_s_head(script, shapes, tmp_path, training, layers):
    cfg, checkpoint = tiny.untrained(training, shapes, tmp_path)
    files = RunFolder(tmp_path / "run").training(training, 0)
    files.config.parent.mkdir(parents=True)
    shutil.copy(checkpoint, files.checkpoint)
    tiny.written(cfg, files.config.parent)
    found = script.active_units(tmp_path / "run", training, images=1)
    assert len(found) == layers
    assert all(units.any() for units in found.values())


def test_a_run_without_the_checkpoint_is_one_line(script, tmp_path):
    with pytest.raises(SystemExit, match=r"^error: .*checkpoint.pth: no such checkpoint"):
        script.main([str(tmp_path), "r3_advanced"])
