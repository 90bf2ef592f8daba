"""Detections for L_e = 1 to 5 from one pass are those of five runs, bit for bit."""

import itertools

import pytest
import torch

from tests.r3cnn import tiny

LOOPS = (1, 2, 3, 4, 5)
MODELS = ("r3_naive_inc", "r3_advanced")


@pytest.fixture(scope="module", params=MODELS)
def detector(request):
    return tiny.detector(request.param)


def assert_nested(detector, pictures, proposed) -> dict:
    together = tiny.detections(detector, pictures, LOOPS, proposed)
    assert tuple(together) == LOOPS
    for loops in LOOPS:
        detector.roi_head.loops = loops
        alone = tiny.detections(detector, pictures, None, proposed)
        for one, other in zip(together[loops], alone, strict=True):
            assert tiny.same(one, other)
    return together


def test_one_pass_is_five_runs(detector):
    pictures = tiny.several()
    found = assert_nested(detector, pictures, tiny.proposals(pictures))
    fields = {"bboxes", "scores", "labels", "masks"}
    for of_loop in found.values():
        for one in of_loop:
            assert len(one) > 0
            assert set(one.keys()) >= fields
            assert ("mask_scores" in one) == (detector.roi_head.mask_iou_head is not None)
    for former, later in itertools.pairwise(LOOPS):
        assert not tiny.same(found[former][0], found[later][0])  # the loops do differ


def test_one_pass_is_five_runs_where_an_image_has_no_proposal(detector):
    pictures = tiny.several()
    proposed = tiny.proposals(pictures)
    proposed[0], proposed[2] = proposed[0][:0], proposed[2][:0]
    found = assert_nested(detector, pictures, proposed)
    assert [len(one) > 0 for one in found[5]] == [False, True, False, True]


def test_one_pass_is_five_runs_where_an_image_has_no_detection(detector, monkeypatch):
    """A score that some images and loops reach and some do not."""
    pictures = tiny.several()
    best = torch.stack(
        [
            torch.stack([one.scores.max() for one in of_loop])
            for of_loop in tiny.detections(detector, pictures, LOOPS).values()
        ]
    )
    monkeypatch.setitem(detector.roi_head.test_cfg, "score_thr", float(best.median()))
    found = assert_nested(detector, pictures, tiny.proposals(pictures))
    some = [len(one) > 0 for of_loop in found.values() for one in of_loop]
    assert any(some)
    assert not all(some)


def test_nothing_at_all_is_nested_too(detector):
    pictures = tiny.several()
    assert_nested(detector, pictures, tiny.proposals(pictures, around=0, anywhere=0))


def test_images_together_find_what_each_finds_alone(detector):
    """Up to float noise: convolutions of more images add in another order."""
    pictures = tiny.several()[:2]
    pictures[1].width, pictures[1].height = pictures[0].width, pictures[0].height  # one padding
    proposed = tiny.proposals(pictures)
    both = tiny.detections(detector, pictures, [3], proposed)[3]
    (alone,) = tiny.detections(detector, pictures[:1], [3], proposed[:1])[3]
    assert torch.equal(alone.labels, both[0].labels)
    torch.testing.assert_close(alone.bboxes, both[0].bboxes, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(alone.scores, both[0].scores, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("loops", [[5, 2], [2, 2], [4]])
def test_any_choice_of_loops(loops):
    detector = tiny.detector("r3_2loops")
    pictures = tiny.several()[:2]
    every = tiny.detections(detector, pictures, LOOPS)
    found = tiny.detections(detector, pictures, loops)
    assert set(found) == set(loops)
    for n in loops:
        assert all(tiny.same(a, b) for a, b in zip(found[n], every[n], strict=True))
