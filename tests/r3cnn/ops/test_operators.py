"""The substitutes are mmcv's operators: by definition, against the compiled ones, and by their gradients."""

import functools
import importlib.util
import sys
from pathlib import Path

import pytest
import torch
from mmcv.ops import roi_align

from r3cnn.ops.backend import OperatorError
from r3cnn.ops.finder import SUBSTITUTE
from tests.r3cnn.ops import definition
from tests.r3cnn.ops.drawn import (
    PADDING,
    STRIDE,
    boxes_and_scores,
    convolution_inputs,
    deformed,
    let_call,
    random_rois,
)

# by random projections: ten times faster than column by column
gradcheck = functools.partial(torch.autograd.gradcheck, fast_mode=True)


@pytest.mark.parametrize("samples", [0, 2])
@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize(("count", "size"), [(0, (8, 10)), (1, (8, 10)), (12, (50, 60))])
def test_roi_align_is_defined_so(substitute, count, size, aligned, samples):
    features = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
    rois = random_rois(count, 2, 2 * size[1], 2 * size[0])
    expected = definition.roi_align(features, rois, (3, 2), 0.5, samples, aligned)
    found = roi_align(features, rois, (3, 2), 0.5, samples, "avg", aligned)
    torch.testing.assert_close(found, expected.float(), rtol=1e-5, atol=1e-5)


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
        let_call(module)
        leaf = features.clone().requires_grad_()
        out = roi_align(leaf, rois, (7, 5), 0.5, samples, "avg", aligned)
        (out * torch.linspace(0, 1, 5)).sum().backward()
        found.append((out.detach(), leaf.grad))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [(5, 6), (60, 50)])
def test_gradients_of_roi_align(substitute, size):
    draw = torch.Generator().manual_seed(2)
    features = torch.randn(1, 1, *size, dtype=torch.float64, generator=draw, requires_grad=True)
    rois = random_rois(4, 1, size[1], size[0]).double()
    assert gradcheck(lambda f: roi_align(f, rois, (2, 3), 1.0, 2, "avg", True), (features,))


@pytest.mark.parametrize("modulated", [False, True])
@pytest.mark.parametrize(("groups", "deform"), [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_deformable_convolution_is_defined_so(substitute, groups, deform, modulated):
    image, offset, mask, weight, bias = convolution_inputs(groups=groups, deform=deform)
    given = (image, offset, mask if modulated else None, weight, bias if modulated else None)
    expected = definition.deformed(*given, STRIDE, PADDING, groups, deform)
    found = deformed(image, offset, mask, weight, bias, groups, deform, modulated)
    torch.testing.assert_close(found, expected.float(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("modulated", [False, True])
@pytest.mark.parametrize(("groups", "deform"), [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_deformable_convolution_is_mmcv_s(substitute, compiled, groups, deform, modulated):
    inputs = convolution_inputs(groups=groups, deform=deform)
    wanted = inputs if modulated else (inputs[0], inputs[1], inputs[3])
    found = []
    for module in (compiled, substitute):
        let_call(module)
        out = deformed(*inputs, groups, deform, modulated)
        found.append((out.detach(), *torch.autograd.grad(out.square().sum(), wanted)))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("modulated", [False, True])
def test_gradients_of_deformable_convolution(substitute, modulated):
    inputs = convolution_inputs(torch.float64, groups=2, deform=2)
    if modulated:
        assert gradcheck(lambda *all_: deformed(*all_, 2, 2), inputs, atol=1e-4)
    else:
        image, offset, _, weight, _ = inputs
        assert gradcheck(
            lambda i, o, w: deformed(i, o, None, w, None, 2, 2, False), (image, offset, weight),
            atol=1e-4,
        )  # fmt: skip


def test_the_first_version_s_backward_pass_samples_the_image_once(substitute, monkeypatch):
    """mmcv asks for the gradient of the image and for that of the weight in two calls."""
    of, name = {
        "plain": ("r3cnn.ops.deform_conv", "columns"),
        "vision": ("torchvision.ops", "deform_conv2d"),
    }[substitute.__name__.rpartition(".")[2]]
    module, calls = importlib.import_module(of), []
    sample = getattr(module, name)
    monkeypatch.setattr(module, name, lambda *given: calls.append(given) or sample(*given))
    image, offset, _, weight, _ = convolution_inputs()
    out = deformed(image, offset, None, weight, None, modulated=False)
    given, found = {"image": image, "offset": offset, "weight": weight}, []
    for names in (["image", "offset", "weight"], ["image", "offset", "weight"], ["weight"]):
        calls.clear()
        wanted = [given[name] for name in names]
        grads = torch.autograd.grad(out.square().sum(), wanted, retain_graph=True)
        found.append(dict(zip(names, grads, strict=True)))
        assert len(calls) == 1
        assert out.grad_fn.bufs_[0].numel() == 0  # held no longer than needed
    for again in found[1:]:
        assert all(torch.equal(grad, found[0][name]) for name, grad in again.items())


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize(("count", "classes"), [(0, 1), (1, 1), (60, 1), (300, 5)])
def test_nms_is_greedy_and_keeps_the_order_of_ties(substitute, count, classes, offset):
    boxes, scores = boxes_and_scores(count, classes)
    order = scores.sort(0, descending=True)[1].tolist()
    expected = definition.suppressed(boxes.numpy(), order, 0.5, offset)
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
        roi_align(torch.ones(1, 1, 4, 4), random_rois(1, 1, 4, 4), 2, 1.0, 2, "max")
