"""In a training step the host waits for the device once, beside what mmdet itself asks."""

import dataclasses
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch

from r3cnn.catalogue.scales import load_scale
from r3cnn.config.resolve import resolve
from r3cnn.training.exchange import exchange
from r3cnn.training.trainer import Trainer
from tests.r3cnn import tiny

# Each of these makes the host wait where the tensor lies on a GPU.
WAITS = ("item", "tolist", "cpu", "numpy", "__bool__", "__float__", "__int__", "__index__")
OWN = str(Path(sys.modules[Trainer.__module__].__file__).parent)


@pytest.fixture
def waits(monkeypatch) -> Counter:
    """How often code of r3cnn/training asked a tensor for its value, by file and method."""
    counted = Counter()

    def counting(name, original):
        def asked(tensor, *arguments, **named):
            file = sys._getframe(1).f_code.co_filename
            if file.startswith(OWN):
                counted[Path(file).name, name] += 1
            return original(tensor, *arguments, **named)

        return asked

    for name in WAITS:
        monkeypatch.setattr(torch.Tensor, name, counting(name, getattr(torch.Tensor, name)))
    return counted


def test_one_wait_in_a_step_whatever_its_number_of_passes(shapes, tmp_path, waits):
    scale = dataclasses.replace(load_scale("smoke"), batch=4, per_pass=2)
    cfg = resolve(tiny.entry("mask_1x"), scale, 0, shapes)
    trainer = Trainer(cfg, tmp_path)
    trainer.run_steps(1)  # what is only done once
    waits.clear()
    data = iter(trainer._loader(0, 1))
    assert trainer.passes_per_step > 1
    trainer._train_step(0, data, lambda: (False, True))
    assert waits == {("exchange.py", "tolist"): 1}


def test_values_and_answers_come_back_as_they_were():
    values = [torch.tensor(1.5), torch.tensor(float("nan")), torch.tensor(7)]
    ((first, second, third, no, yes),) = exchange(values, [False, True])
    assert (first, third, no, yes) == (1.5, 7.0, 0.0, 1.0)
    assert second != second
