"""The box head, the mask head and the Mask-IoU head on their own."""

import numpy as np
import pytest
import torch
from mmdet.models.roi_heads.mask_heads import HTCMaskHead
from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.structures.mask import BitmapMasks
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

from r3cnn.models import R3AdvancedBBoxHead, R3MaskHead, R3MaskIoUHead
from r3cnn.weights.building import build_detector
from tests.r3cnn import tiny

MASK_HEAD = {"num_classes": 3, "in_channels": 8, "conv_out_channels": 8, "num_convs": 2}
MASK_IOU = {
    "num_classes": 3,
    "in_channels": 8,
    "conv_out_channels": 8,
    "stack_channels": (6, 4),
    "loss_iou": {"type": "MSELoss", "loss_weight": 0.5},
}


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


# ------------------------------------------------------------------------------ box head


def test_the_box_head_has_two_wide_convolutions_in_place_of_two_fcs():
    head = R3AdvancedBBoxHead(
        in_channels=8,
        stack_channels=(6, 4),
        num_classes=5,
        roi_feat_size=7,
        with_avg_pool=False,
        reg_class_agnostic=True,
    )
    assert len(head.shared_convs) == 3
    assert len(head.shared_fcs) == 0
    assert head.fc_cls.in_features == head.fc_reg.in_features == 4 * 7 * 7
    scores, deltas = head(drawn(2, 8, 7, 7))
    assert (tuple(scores.shape), tuple(deltas.shape)) == ((2, 6), (2, 4))


@pytest.fixture(scope="module")
def paper_advanced():
    """The untouched network of the paper as its training starts."""
    cfg = tiny.config("r3_advanced", "paper")
    cfg.model.backbone.init_cfg = None
    return build_detector(cfg, "cpu", seed=0).roi_head


def test_training_starts_from_the_authors_draws(paper_advanced):
    """Also after mmengine's own initialisation, which goes through the whole network."""
    box, iou = paper_advanced.bbox_head, paper_advanced.mask_iou_head
    for block in (box.shared_convs[0], iou.fcs[0], iou.fcs[3]):
        assert block.conv_out.conv.weight.abs().max() == 0
        for layer in (block.g, block.theta, block.phi):
            assert layer.conv.weight.std().item() == pytest.approx(0.01, rel=0.02)
    for stack in (box.shared_convs, iou.fcs):
        for conv in stack[1:3]:
            out = conv.conv.out_channels
            assert conv.conv.weight.std().item() == pytest.approx((2 / (out * 49)) ** 0.5, rel=0.02)
    assert iou.fc_mask_iou.weight.std().item() == pytest.approx(0.01, rel=0.02)
    assert box.fc_cls.weight.std().item() == pytest.approx(0.01, rel=0.02)
    assert box.fc_reg.weight.std().item() == pytest.approx(0.001, rel=0.05)


def test_the_mask_iou_head_has_the_papers_layers(paper_advanced):
    head = paper_advanced.mask_iou_head
    assert [conv.in_channels for conv in head.convs] == [257, 256, 256, 256]
    assert [conv.stride for conv in head.convs] == [(1, 1), (1, 1), (1, 1), (2, 2)]
    assert [getattr(layer, "in_channels", None) for layer in head.fcs] == [256, 256, 128, 64]
    assert head.fc_mask_iou.in_features == 64 * 7 * 7
    assert head.loss_iou.loss_weight == 0.5


# ----------------------------------------------------------------------------- mask head


def test_without_earlier_features_the_residual_convolution_sees_zeros():
    head, x = R3MaskHead(**MASK_HEAD), drawn(2, 8, 14, 14)
    torch.nn.init.normal_(head.conv_res.conv.bias)
    logits, features = head(x)
    zeros_logits, zeros_features = head(x, torch.zeros_like(x))
    torch.testing.assert_close(logits, zeros_logits)
    torch.testing.assert_close(features, zeros_features)
    bias = head.conv_res.conv.bias.relu()[:, None, None]
    without = HTCMaskHead.forward(head, x + bias)
    torch.testing.assert_close(logits, without[0])
    assert not torch.allclose(logits, HTCMaskHead.forward(head, x)[0], atol=1e-4)


def test_the_mask_head_hands_over_what_is_asked_for():
    head, x = R3MaskHead(**MASK_HEAD), drawn(2, 8, 14, 14)
    assert [tuple(out.shape) for out in head(x)] == [(2, 3, 28, 28), (2, 8, 14, 14)]
    assert tuple(head(x, return_feat=False).shape) == (2, 3, 28, 28)
    assert tuple(head(x, return_logits=False).shape) == (2, 8, 14, 14)


# -------------------------------------------------------------------------- Mask-IoU head


def square_target(head: R3MaskIoUHead, logit: float) -> torch.Tensor:
    """The target of one RoI that is its object's box; the mask's logit is the same everywhere."""
    boxes, labels = torch.tensor([[0.0, 0, 28, 28]]), torch.tensor([1])
    masks = BitmapMasks(np.ones((1, 28, 28), np.uint8), 28, 28)
    truth = InstanceData(bboxes=boxes, labels=labels, masks=masks)
    sampled = SamplingResult(
        pos_inds=torch.tensor([0]),
        neg_inds=torch.zeros(0, dtype=torch.long),
        priors=boxes,
        gt_bboxes=boxes,
        assign_result=InstanceData(gt_inds=torch.tensor([1]), labels=labels),
        gt_flags=torch.zeros(1, dtype=torch.uint8),
    )
    mask = torch.full((1, 28, 28), logit)
    cfg = ConfigDict(mask_thr_binary=0.5)
    return head.get_targets([sampled], [truth], mask, torch.ones(1, 28, 28), cfg)


@pytest.mark.parametrize(
    ("logit", "by_logits", "by_probabilities"), [(-0.1, 0, 0), (0.3, 0, 1), (0.6, 1, 1)]
)
def test_binarise_logits_changes_the_target_between_probability_a_half_and_062(
    logit, by_logits, by_probabilities
):
    assert square_target(R3MaskIoUHead(**MASK_IOU), logit).item() == pytest.approx(by_logits)
    other = R3MaskIoUHead(**MASK_IOU, binarise_logits=False)
    assert square_target(other, logit).item() == pytest.approx(by_probabilities)


def test_binarise_logits_changes_the_mask_iou_loss_only():
    usual, other = tiny.detector("r3_advanced"), tiny.detector("r3_advanced")
    other.roi_head.mask_iou_head.binarise_logits = False
    pictures = tiny.several()
    one, two = tiny.losses(usual, pictures), tiny.losses(other, pictures)
    assert {name for name in one if not torch.equal(one[name], two[name])} == {"loss_mask_iou"}
    found = zip(tiny.detections(usual, pictures), tiny.detections(other, pictures), strict=True)
    assert all(tiny.same(a, b) for a, b in found)


def test_the_mask_enters_the_mask_iou_head_as_probabilities_pooled_by_two():
    head, seen = R3MaskIoUHead(**MASK_IOU), []
    head.convs[0].register_forward_hook(lambda _, args, __: seen.append(args[0]))
    x, mask = drawn(2, 8, 14, 14), drawn(2, 28, 28)
    assert tuple(head(x, mask).shape) == (2, 3)
    assert torch.equal(seen[0][:, :8], x)
    pooled = mask.sigmoid().reshape(2, 14, 2, 14, 2).amax((2, 4))
    torch.testing.assert_close(seen[0][:, 8], pooled)


def test_the_mask_iou_gradient_reaches_the_mask_head_and_no_box_head():
    detector = tiny.detector("r3_advanced")
    terms = tiny.losses(detector, tiny.several())
    terms["loss_mask_iou"].backward()
    head = detector.roi_head
    for name in ("conv_logits.weight", "convs.0.conv.weight", "conv_res.conv.bias"):
        assert head.mask_head.get_parameter(name).grad.abs().max() > 0
    assert head.mask_iou_head.fc_mask_iou.weight.grad.abs().max() > 0
    assert all(p.grad is None for p in head.bbox_head.parameters())


def test_targets_of_zero_do_not_count():
    """A mask that covers nothing of its object: the loss is zero, not pulled towards zero."""
    detector = tiny.detector("r3_advanced")
    with torch.no_grad():
        detector.roi_head.mask_head.conv_logits.weight.zero_()
        detector.roi_head.mask_head.conv_logits.bias.fill_(-9.0)
    terms = tiny.losses(detector, tiny.several())
    assert terms["loss_mask_iou"].item() == 0


def test_mask_scores_are_scores_times_the_last_loop_s_predicted_iou():
    """Predicted once, from the last loop's mask, not clamped."""
    detector = tiny.detector("r3_advanced")
    head, ious, masks = detector.roi_head, [], []
    with torch.no_grad():
        head.mask_iou_head.fc_mask_iou.bias.fill_(-0.5)
    head.mask_iou_head.register_forward_hook(lambda _, args, out: ious.append((args[1], out)))
    head.mask_head.register_forward_hook(lambda _, __, out: masks.append(out[0]))
    (found,) = tiny.detections(detector, tiny.several()[:1])
    assert (len(ious), len(masks)) == (1, 3)
    (given, predicted), rows = ious[0], torch.arange(len(found))
    assert torch.equal(given, masks[-1][rows, found.labels])
    assert torch.equal(found.mask_scores, found.scores * predicted[rows, found.labels])
    assert found.mask_scores.min() < 0
