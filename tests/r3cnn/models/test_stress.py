"""The loop on batches that hold next to nothing: finite losses, empty results of the right shape."""

import pytest
import torch

from tests.r3cnn import tiny
from tests.r3cnn.tiny import Picture

PIXEL = Picture(64, 64, [[30, 20, 31, 21]], [0])
EMPTY = Picture(64, 48)


def one_class(pictures):
    for picture in pictures:
        picture.labels = [0] * len(picture.labels)
    return pictures


BATCHES = {
    "one image": one_class(tiny.several()[:1]),
    "four images of different size": one_class(tiny.several()),
    "no object in one image": one_class([EMPTY, *tiny.several()[:2]]),
    "no object in the batch": [EMPTY, Picture(80, 64)],
    "one object of one pixel": [PIXEL],
    "one object of one pixel among others": one_class([PIXEL, *tiny.several()[:1]]),
}


@pytest.fixture(
    scope="module", params=[("r3_2loops", 1), ("r3_advanced", 1), ("r3_advanced", 80)], ids=str
)
def detector(request):
    id_, classes = request.param
    return tiny.detector(id_, classes=classes)


def expected_losses(detector) -> set[str]:
    terms = ("loss_cls", "acc", "loss_bbox", "loss_mask")
    head = detector.roi_head
    names = {f"s{i}.{term}" for i in range(len(head.iou_thresholds)) for term in terms}
    return names if head.mask_iou_head is None else names | {"loss_mask_iou"}


def train(detector, pictures, proposed) -> dict[str, torch.Tensor]:
    """Losses, all finite, and so are the gradients of all weights of the heads."""
    detector.zero_grad()
    terms = tiny.losses(detector, pictures, proposed)
    assert all(torch.isfinite(value).all() for value in terms.values()), terms
    tiny.total(terms).backward()
    heads = dict(detector.roi_head.named_parameters())
    without = {name for name, p in heads.items() if p.grad is None}
    assert all(torch.isfinite(p.grad).all() for name, p in heads.items() if name not in without)
    # a weight without a gradient would make the other processes wait; only without any RoI at all,
    # mmdet's box head leaves its classes out
    no_rois = not any(len(boxes.bboxes) for boxes in proposed) and not any(
        picture.boxes for picture in pictures
    )
    assert without == ({"bbox_head.fc_cls.weight", "bbox_head.fc_cls.bias"} if no_rois else set())
    return terms


@pytest.mark.parametrize("name", BATCHES)
def test_losses_are_finite(detector, name):
    pictures = BATCHES[name]
    terms = train(detector, pictures, tiny.proposals(pictures))
    assert set(terms) == expected_losses(detector)
    if name == "no object in the batch":
        for term, value in terms.items():
            if term.endswith(("loss_bbox", "loss_mask", "loss_mask_iou")):
                assert value.item() == 0


@pytest.mark.parametrize("name", BATCHES)
def test_losses_without_a_proposal_are_finite(detector, name):
    pictures = BATCHES[name]
    terms = train(detector, pictures, tiny.proposals(pictures, around=0, anywhere=0))
    assert {term for term in terms if "loss_mask" in term} == {
        term for term in expected_losses(detector) if "loss_mask" in term
    }


def check_shapes(found, pictures, branch: bool) -> None:
    fields = {"bboxes", "scores", "labels", "masks"} | ({"mask_scores"} if branch else set())
    for one, picture in zip(found, pictures, strict=True):
        n, size = len(one), (2 * picture.height, 2 * picture.width)  # the original image's
        assert set(one.keys()) == fields
        assert tuple(one.bboxes.shape) == (n, 4)
        assert tuple(one.masks.shape) == (n, *size)
        assert one.masks.dtype == torch.bool
        assert one.labels.dtype == torch.int64
        assert all(len(one[name]) == n and torch.isfinite(one[name]).all() for name in fields)
        assert (one.bboxes <= torch.tensor(size).flip(0).repeat(2) + 1e-3).all()


@pytest.mark.parametrize("name", BATCHES)
def test_more_loops_than_thresholds(detector, name):
    pictures = BATCHES[name]
    found = tiny.detections(detector, pictures, [1, 5])
    assert set(found) == {1, 5}
    for of_loop in found.values():
        check_shapes(of_loop, pictures, detector.roi_head.mask_iou_head is not None)
        assert all(len(one) for one in of_loop)


def test_nothing_proposed_gives_nothing(detector):
    pictures = tiny.several()
    none = tiny.proposals(pictures, around=0, anywhere=0)
    found = tiny.detections(detector, pictures, [1, 3], none)
    for of_loop in found.values():
        check_shapes(of_loop, pictures, detector.roi_head.mask_iou_head is not None)
        assert not any(len(one) for one in of_loop)


def test_nothing_proposed_in_one_image_gives_nothing_there(detector):
    pictures = tiny.several()
    proposed = tiny.proposals(pictures)
    proposed[1] = proposed[1][:0]
    found = tiny.detections(detector, pictures, [1, 3], proposed)
    for of_loop in found.values():
        check_shapes(of_loop, pictures, detector.roi_head.mask_iou_head is not None)
        assert [len(one) > 0 for one in of_loop] == [True, False, True, True]


def test_nothing_above_the_score_gives_nothing(detector, monkeypatch):
    monkeypatch.setitem(detector.roi_head.test_cfg, "score_thr", 1.1)
    found = tiny.detections(detector, tiny.several(), [2])
    check_shapes(found[2], tiny.several(), detector.roi_head.mask_iou_head is not None)
    assert not any(len(one) for one in found[2])


@pytest.mark.parametrize("id_", ["r3_2loops", "r3_advanced"])
def test_the_whole_detector_with_no_object_at_all(id_):
    """Backbone and RPN too, whose proposals are what an untrained network finds."""
    detector = tiny.detector(id_).train()
    data = detector.data_preprocessor(tiny.batch([EMPTY, Picture(80, 64)]), True)
    loss, _ = detector.parse_losses(detector(**data, mode="loss"))
    assert torch.isfinite(loss)
    loss.backward()
    assert all(p.grad is not None for p in detector.parameters() if p.requires_grad)
