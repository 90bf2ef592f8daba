"""HTC averages the masks of its three stages."""

import torch
from mmdet.models.roi_heads import HybridTaskCascadeRoIHead

from r3cnn.models import HTCRoIHead
from tests.r3cnn import tiny


def masks_of_stages(detector, monkeypatch):
    """The probabilities that are thresholded, each stage's logits, and the features handed on."""
    merged, stages = [], []
    last = detector.roi_head.mask_head[-1]
    original = last.predict_by_feat
    monkeypatch.setattr(
        last, "predict_by_feat", lambda **kw: merged.append(kw["mask_preds"]) or original(**kw)
    )
    for head in detector.roi_head.mask_head:
        head.register_forward_hook(lambda _, args, out: stages.append((args, out)))
    found = tiny.detections(detector, tiny.several()[:1])
    return torch.as_tensor(merged[0][0]), stages, found


def test_the_masks_of_all_stages_are_averaged(monkeypatch):
    merged, stages, found = masks_of_stages(tiny.detector("htc"), monkeypatch)
    assert len(stages) == 3
    mean = torch.stack([out[0].sigmoid() for _, out in stages]).mean(0)
    torch.testing.assert_close(merged, mean)
    assert len(found[0].masks) == len(merged)


def test_each_stage_is_given_the_features_of_the_one_before(monkeypatch):
    _, stages, _ = masks_of_stages(tiny.detector("htc"), monkeypatch)
    (first, out0), (second, out1), (third, _) = stages
    assert first[1] is None
    assert second[1] is out0[1]
    assert third[1] is out1[1]
    assert first[0] is second[0] is third[0]


def test_mmdet_keeps_the_last_stage_alone(monkeypatch):
    """What HTCRoIHead is for; without it the average test above fails."""
    monkeypatch.setattr(HTCRoIHead, "_mask_forward", HybridTaskCascadeRoIHead._mask_forward)
    merged, stages, _ = masks_of_stages(tiny.detector("htc"), monkeypatch)
    mean = torch.stack([out[0].sigmoid() for _, out in stages[-3:]]).mean(0)
    assert not torch.allclose(merged, mean, atol=1e-3)


def test_training_is_mmdets():
    detector = tiny.detector("htc")
    ours = tiny.losses(detector, tiny.several())
    detector.roi_head.__class__ = HybridTaskCascadeRoIHead
    theirs = tiny.losses(detector, tiny.several())
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_nothing_proposed_gives_nothing():
    detector = tiny.detector("htc")
    pictures = tiny.several()[:2]
    none = tiny.proposals(pictures, around=0, anywhere=0)
    for found, picture in zip(
        tiny.detections(detector, pictures, proposed=none), pictures, strict=True
    ):
        assert tuple(found.masks.shape) == (0, 2 * picture.height, 2 * picture.width)
