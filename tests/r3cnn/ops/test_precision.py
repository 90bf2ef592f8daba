"""Half types: results as exact as the type allows, in the type that mmcv returns."""

import pytest
import torch
from mmcv.ops import nms, roi_align

from tests.r3cnn.ops import definition
from tests.r3cnn.ops.drawn import (
    PADDING,
    STRIDE,
    boxes_and_scores,
    convolution_inputs,
    deformed,
)

HALF = pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
WIDE = 600  # pixels: more than bfloat16 counts one by one


def rounded_once(dtype: torch.dtype) -> dict[str, float]:
    """Limits for a result that was computed in float32 and rounded to the type."""
    eps = torch.finfo(dtype).eps
    return {"rtol": 0.51 * eps, "atol": 2e-5}


def wide_features() -> torch.Tensor:
    """(1, 2, 4, 600)."""
    return torch.randn(1, 2, 4, WIDE, generator=torch.Generator().manual_seed(5))


def boxes_far_right() -> torch.Tensor:
    """RoIs (3, 5) that bfloat16 holds, and whose bins' corners it does not."""
    return torch.tensor([[0, 512, 1, 520, 3.0], [0, 576, 0, 592, 4], [0, 5, 1, 9, 2]])


@HALF
@pytest.mark.parametrize("of_rois", [torch.float32, None])
def test_roi_align(substitute, dtype, of_rois):
    features, rois = wide_features().to(dtype), boxes_far_right().to(of_rois or dtype)
    found = roi_align(features, rois, (2, 3), 1.0, 2, "avg", True)
    assert found.dtype == dtype
    expected = definition.roi_align(features, rois, (2, 3), 1.0, 2, True)
    torch.testing.assert_close(found.double(), expected, **rounded_once(dtype))


@HALF
def test_gradient_of_roi_align(substitute, dtype):
    """RoIs that overlap: their shares are added before the one rounding."""
    rois = boxes_far_right()[[0] * 50 + [1]]
    grads = []
    for kind in (dtype, torch.float32):
        leaf = wide_features().to(dtype).to(kind).requires_grad_()
        out = roi_align(leaf, rois.to(kind), (2, 3), 1.0, 2, "avg", True)
        out.backward(torch.linspace(0, 1, 3, dtype=dtype).to(kind).expand_as(out))
        assert leaf.grad.dtype == kind
        grads.append(leaf.grad.float())
    torch.testing.assert_close(*grads, **rounded_once(dtype))


def test_autocast_does_not_reach_into_roi_align(substitute):
    """Features of float32 (a normalisation's output) keep their precision, as a compiled operator's do."""
    features, rois = wide_features(), boxes_far_right()
    with torch.autocast("cpu", torch.bfloat16):
        found = roi_align(features, rois, (2, 3), 1.0, 2, "avg", True)
    assert torch.equal(found, roi_align(features, rois, (2, 3), 1.0, 2, "avg", True))


def test_a_wider_type_of_one_tensor_is_kept(substitute):
    features, rois = wide_features().double(), boxes_far_right()
    found = roi_align(features, rois, (2, 3), 1.0, 2, "avg", True)
    expected = definition.roi_align(features, rois, (2, 3), 1.0, 2, True)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@HALF
@pytest.mark.parametrize("both", [True, False])
def test_nms(substitute, dtype, both):
    """IoUs are computed of the boxes as they are, not rounded again; scores alone may be of a half type."""
    boxes, scores = boxes_and_scores(200, 3)
    boxes, scores = boxes.to(dtype) if both else boxes, scores.to(dtype)
    order = scores.sort(0, descending=True)[1].tolist()
    expected = definition.suppressed(boxes.float().numpy(), order, 0.5, 0)
    dets, kept = nms(boxes, scores, 0.5)
    assert kept.tolist() == expected
    assert dets.dtype == boxes.dtype
    assert kept.dtype == torch.int64


@HALF
@pytest.mark.parametrize("modulated", [False, True])
def test_deformable_convolution(substitute, dtype, modulated):
    """Far from the left side, where the type counts pixels in steps of two or four."""
    inputs = [tensor.detach().to(dtype) for tensor in convolution_inputs(width=WIDE)]
    image, offset, mask, weight, bias = inputs
    found = deformed(*inputs, modulated=modulated)
    assert found.dtype == dtype
    given = (offset, mask if modulated else None, weight, bias if modulated else None)
    right = definition.deformed(image, *given, STRIDE, PADDING, 1, 1, columns=range(580, 590))
    torch.testing.assert_close(found[..., 580:590].double(), right, **rounded_once(dtype))


@HALF
@pytest.mark.parametrize("modulated", [False, True])
def test_gradients_of_deformable_convolution_under_autocast(substitute, dtype, modulated):
    """As autocast has it: image and weight of float32, offsets (and mask) of the half type."""
    grads = []
    for kind in (dtype, torch.float32):
        inputs = [t.detach().to(dtype).float() for t in convolution_inputs(width=40)]
        inputs[1], inputs[2] = inputs[1].to(kind), inputs[2].to(kind)
        leaves = [tensor.requires_grad_() for tensor in inputs]
        with torch.autocast("cpu", dtype, enabled=kind == dtype):
            out = deformed(*leaves, modulated=modulated)
        assert out.dtype == kind
        wanted = leaves if modulated else [leaves[0], leaves[1], leaves[3]]
        weights = torch.linspace(0, 1, out.numel()).view_as(out).to(dtype)
        grads.append(torch.autograd.grad(out, wanted, weights.to(kind)))
        assert [g.dtype for g in grads[-1]] == [leaf.dtype for leaf in wanted]
    for half, full in zip(*grads, strict=True):
        torch.testing.assert_close(half.float(), full, **rounded_once(dtype))
