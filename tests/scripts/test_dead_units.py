"""Dead units of a head are counted over all RoIs that it sees."""

import importlib

import pytest
import torch
from torch import nn


@pytest.fixture(scope="module")
def script():
    return importlib.import_module("dead_units")


def test_a_unit_is_alive_if_any_roi_of_any_call_passes_it(script):
    layer = nn.Conv2d(1, 3, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1.0, -1.0, 0.0]).view(3, 1, 1, 1))
        layer.bias.copy_(torch.tensor([0.0, 0.0, -1.0]))
    head = nn.Sequential(layer, nn.ReLU())
    active = script.Active(head)
    head(torch.ones(4, 1, 2, 2))
    assert active.units["1"].tolist() == [True, False, False]
    mixed = torch.full((2, 1, 2, 2), 1.0)
    mixed[1, 0, 0, 1] = -1  # one place of one RoI
    head(mixed)
    assert active.units["1"].tolist() == [True, True, False]


def test_a_run_without_the_training_is_one_line(script, tmp_path):
    with pytest.raises(SystemExit, match=r"^error: .*config.py: no such config file"):
        script.main([str(tmp_path), "r3_advanced"])
