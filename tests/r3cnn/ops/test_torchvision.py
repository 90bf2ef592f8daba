"""The back end of torchvision, where it is installed: chosen, used by mmcv, and equal to plain PyTorch."""

import os
import subprocess
import sys

import pytest
import torch
from mmcv.ops import roi_align

from r3cnn.core.layout import CHECKOUT
from r3cnn.ops import backend, plain
from r3cnn.ops.finder import VARIABLE
from tests.r3cnn import tiny
from tests.r3cnn.ops.drawn import convolution_inputs, deformed, let_call, random_rois

pytest.importorskip("torchvision.ops", exc_type=ImportError)
from r3cnn.ops import vision


@pytest.fixture(autouse=True)
def _mmcv_as_it_was(monkeypatch):
    from tests.r3cnn.ops import drawn

    for user in drawn.USERS:
        monkeypatch.setattr(user, "ext_module", user.ext_module)


def by_both(compute) -> tuple:
    """What a function returns with plain PyTorch, and with torchvision."""
    found = []
    for module in (plain, vision):
        let_call(module)
        found.append(compute())
    return tuple(found)


@pytest.mark.parametrize(
    ("asked", "expected"), [("", "torchvision"), ("torchvision", "torchvision"), ("plain", "plain")]
)
def test_it_is_chosen_before_plain_pytorch(monkeypatch, asked, expected):
    monkeypatch.setenv(VARIABLE, asked)
    assert backend.substitute() == expected


def test_mmcv_calls_it(tmp_path):
    code = "import mmdet.apis, mmcv._ext as e; print(e.roi_align_forward.__module__)"
    done = subprocess.run(
        [sys.executable, "-c", f"import r3cnn; {code}"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), VARIABLE: "torchvision"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == ["r3cnn.ops.vision"], done.stderr


@pytest.mark.parametrize("samples", [0, 2])
@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize(("count", "size"), [(2000, (8, 10)), (200, (50, 60))])
def test_roi_align_of_many_rois(count, size, aligned, samples):
    features = torch.randn(2, 8, *size, generator=torch.Generator().manual_seed(1))
    rois = random_rois(count, 2, 4 * size[1], 4 * size[0])

    def compute():
        leaf = features.clone().requires_grad_()
        out = roi_align(leaf, rois, (7, 7), 0.25, samples, "avg", aligned)
        (out * torch.linspace(0, 1, 7)).sum().backward()
        return out.detach(), leaf.grad

    for one, other in zip(*by_both(compute), strict=True):
        torch.testing.assert_close(other, one, rtol=1e-5, atol=1e-5 * float(one.abs().max()))


@pytest.mark.parametrize("modulated", [False, True])
@pytest.mark.parametrize(("groups", "deform"), [(1, 1), (2, 2)])
def test_deformable_convolution_and_its_gradients(groups, deform, modulated):
    inputs = convolution_inputs(groups=groups, deform=deform, width=30)
    wanted = inputs if modulated else (inputs[0], inputs[1], inputs[3])

    def compute():
        out = deformed(*inputs, groups, deform, modulated)
        return (out.detach(), *torch.autograd.grad(out.square().sum(), wanted))

    for one, other in zip(*by_both(compute), strict=True):
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-5 * float(one.abs().max()))


@pytest.mark.parametrize("training", ["mask_1x", "r3_advanced", "dcn"])
def test_losses_of_a_training_step(training):
    detector = tiny.detector(training)
    one, other = by_both(lambda: tiny.losses(detector, tiny.several()))
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=2e-5, atol=2e-6, msg=name)
