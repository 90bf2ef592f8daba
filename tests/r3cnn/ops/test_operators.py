"""The substitutes are mmcv's operators: against the compiled ones if they are here, and by their gradients."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor

from r3cnn.ops.backend import OperatorError, has_torchvision, is_compiled
from r3cnn.ops.finder import SUBSTITUTE

# mmcv's package hands on functions of the same names
roi_align_module = importlib.import_module("mmcv.ops.roi_align")
deform_module = importlib.import_module("mmcv.ops.deform_conv")
modulated_module = importlib.import_module("mmcv.ops.modulated_deform_conv")
nms_module = importlib.import_module("mmcv.ops.nms")
MODULES = (roi_align_module, deform_module, modulated_module, nms_module)


def implementation(name: str) -> ModuleType:
    return importlib.import_module(f"r3cnn.ops.{name}")


@pytest.fixture(params=["plain", "vision"])
def substitute(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """mmcv's functions call this implementation."""
    if request.param == "vision" and not has_torchvision():
        pytest.skip("torchvision does not import here")
    module = implementation(request.param)
    for user in MODULES:
        monkeypatch.setattr(user, "ext_module", module)
    return module


@pytest.fixture
def compiled() -> ModuleType:
    if not is_compiled():
        pytest.skip("mmcv's operators are not compiled here")
    return importlib.import_module("mmcv._ext")


def random_rois(count: int, images: int, width: int, height: int, seed: int = 0) -> Tensor:
    """RoIs (N, 5) in a map of width x height; some reach beyond it, one lies outside, one is empty."""
    draw = torch.Generator().manual_seed(seed)
    u = torch.rand(count, 5, generator=draw)
    x, y = (u[:, 1] * 1.2 - 0.1) * width, (u[:, 2] * 1.2 - 0.1) * height
    rois = torch.stack(
        [(u[:, 0] * images).floor(), x, y, x + u[:, 3] ** 2 * width, y + u[:, 4] ** 2 * height], 1
    )
    if count > 2:
        rois[0, 1:] = torch.tensor([-90.0, -90.0, -70.0, -70.0])
        rois[1, 1:] = torch.tensor([5.0, 5.0, 5.0, 5.0])
    return rois


@pytest.mark.parametrize("samples", [0, 2])
@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize(
    ("count", "size"), [(0, (8, 10)), (1, (8, 10)), (60, (8, 10)), (40, (50, 60)), (2000, (8, 10))]
)
def test_roi_align_is_mmcv_s(substitute, compiled, count, size, aligned, samples):
    features = torch.randn(2, 4, *size, generator=torch.Generator().manual_seed(1))
    rois = random_rois(count, 2, 2 * size[1], 2 * size[0])
    found = []
    for module in (compiled, substitute):
        roi_align_module.ext_module = module
        leaf = features.clone().requires_grad_()
        out = roi_align_module.roi_align(leaf, rois, (7, 5), 0.5, samples, "avg", aligned)
        (out * torch.linspace(0, 1, 5)).sum().backward()
        found.append((out.detach(), leaf.grad))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [(5, 6), (60, 50)])
def test_gradients_of_roi_align(substitute, size):
    draw = torch.Generator().manual_seed(2)
    features = torch.randn(1, 1, *size, dtype=torch.float64, generator=draw, requires_grad=True)
    rois = random_rois(4, 1, size[1], size[0]).double()
    assert torch.autograd.gradcheck(
        lambda f: roi_align_module.roi_align(f, rois, (2, 3), 1.0, 2, "avg", True), (features,)
    )


def convolution_inputs(dtype: torch.dtype = torch.float32, groups: int = 1, deform: int = 1):
    """Image, offsets that reach beyond it, mask, weight and bias; (y, x) sizes and steps differ."""
    draw = torch.Generator().manual_seed(3)

    def normal(*size: int) -> Tensor:
        return torch.randn(*size, dtype=dtype, generator=draw).requires_grad_()

    image = normal(2, 4, 6, 7)
    offset = (2 * torch.randn(2, 18 * deform, 3, 7, dtype=dtype, generator=draw)).requires_grad_()
    mask = torch.rand(2, 9 * deform, 3, 7, dtype=dtype, generator=draw).requires_grad_()
    return image, offset, mask, normal(6, 4 // groups, 3, 3), normal(6)


def deformed(image, offset, mask, weight, bias, groups=1, deform=1, modulated=True):
    if modulated:
        return modulated_module.modulated_deform_conv2d(
            image, offset, mask, weight, bias, (2, 1), (1, 1), (1, 1), groups, deform
        )
    return deform_module.deform_conv2d(
        image, offset, weight, (2, 1), (1, 1), (1, 1), groups, deform
    )


@pytest.mark.parametrize("modulated", [False, True])
@pytest.mark.parametrize(("groups", "deform"), [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_deformable_convolution_is_mmcv_s(substitute, compiled, groups, deform, modulated):
    inputs = convolution_inputs(groups=groups, deform=deform)
    wanted = inputs if modulated else (inputs[0], inputs[1], inputs[3])
    found = []
    for module in (compiled, substitute):
        deform_module.ext_module = modulated_module.ext_module = module
        out = deformed(*inputs, groups, deform, modulated)
        found.append((out.detach(), *torch.autograd.grad(out.square().sum(), wanted)))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("modulated", [False, True])
def test_gradients_of_deformable_convolution(substitute, modulated):
    inputs = convolution_inputs(torch.float64, groups=2, deform=2)
    if modulated:
        assert torch.autograd.gradcheck(lambda *all_: deformed(*all_, 2, 2), inputs, atol=1e-4)
    else:
        image, offset, _, weight, _ = inputs
        assert torch.autograd.gradcheck(
            lambda i, o, w: deformed(i, o, None, w, None, 2, 2, False), (image, offset, weight),
            atol=1e-4,
        )  # fmt: skip


def boxes_and_scores(count: int, classes: int, seed: int = 4) -> tuple[Tensor, Tensor]:
    """Boxes in crowds, each class far from the others, and scores of which many are equal."""
    draw = torch.Generator().manual_seed(seed)
    boxes = torch.rand(count, 4, generator=draw) * 60
    boxes[:, 2:] += boxes[:, :2]
    boxes += torch.randint(0, classes, (count, 1), generator=draw) * 500.0
    return boxes, (torch.rand(count, generator=draw) * 20).round() / 20


def greedy(boxes: np.ndarray, order: list[int], threshold: float, offset: int) -> list[int]:
    """Suppression as its definition says it, box by box."""
    kept: list[int] = []
    for i in order:
        overlaps = []
        for k in kept:
            width, height = (
                max(
                    np.float32(0),
                    min(boxes[i, 2 + d], boxes[k, 2 + d]) - max(boxes[i, d], boxes[k, d]) + offset,
                )
                for d in (0, 1)
            )
            areas = [
                (boxes[j, 2] - boxes[j, 0] + offset) * (boxes[j, 3] - boxes[j, 1] + offset)
                for j in (k, i)
            ]
            inter = width * height
            overlaps.append(inter / (areas[0] + areas[1] - inter))
        if not overlaps or max(overlaps) <= np.float32(threshold):
            kept.append(i)
    return kept


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize(("count", "classes"), [(0, 1), (1, 1), (60, 1), (300, 5)])
def test_nms_is_greedy_and_keeps_the_order_of_ties(substitute, count, classes, offset):
    boxes, scores = boxes_and_scores(count, classes)
    order = scores.sort(0, descending=True)[1].tolist()
    expected = greedy(boxes.numpy(), order, 0.5, offset)
    assert substitute.nms(boxes, scores, 0.5, offset).tolist() == expected
    assert count < 60 or len(expected) < count


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
@pytest.mark.parametrize("count", [0, 1, 500, 2000])
def test_nms_is_mmcv_s(substitute, compiled, count, threshold):
    for classes in (1, 8):
        boxes, scores = boxes_and_scores(count, classes)
        expected = compiled.nms(boxes, scores, iou_threshold=threshold, offset=0)
        assert substitute.nms(boxes, scores, threshold, 0).tolist() == expected.tolist()


def test_another_operator_says_how_to_get_it():
    spec = importlib.util.spec_from_file_location("substitute_of_mmcv", SUBSTITUTE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert callable(module.carafe_forward)  # mmcv asks for it when it is imported
    with pytest.raises(OperatorError, match=r"carafe_forward is not compiled here; .*make setup"):
        module.carafe_forward(1, x=2)
    assert Path(module.__spec__.origin) == SUBSTITUTE
    assert "substitute_of_mmcv" not in sys.modules


def test_max_pooling_is_refused(substitute):
    with pytest.raises(OperatorError, match="max pooling"):
        roi_align_module.roi_align(
            torch.ones(1, 1, 4, 4), random_rois(1, 1, 4, 4), 2, 1.0, 2, "max"
        )
