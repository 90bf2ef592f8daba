"""Each option of the loop changes what it says, and nothing else."""

from contextlib import contextmanager

import pytest
import torch

from tests.r3cnn import tiny

LOOPED = ("r3_naive_inc", "r3_advanced")
TERMS = ("loss_cls", "acc", "loss_bbox", "loss_mask")


def changed(one, other) -> set[str]:
    """Names of the losses that differ by a bit."""
    assert one.keys() == other.keys()
    return {name for name in one if not torch.equal(one[name], other[name])}


@contextmanager
def merged_masks(detector):
    """The averaged mask probabilities that are handed to the thresholding."""
    head, seen = detector.roi_head.mask_head, []
    original = head.predict_by_feat

    def watch(**arguments):
        seen.append(arguments["mask_preds"])
        return original(**arguments)

    head.predict_by_feat = watch
    yield seen
    del head.predict_by_feat


def gradients(detector, terms) -> None:
    detector.zero_grad()
    tiny.total(terms).backward()


@pytest.mark.parametrize("id_", LOOPED)
def test_losses_are_those_of_each_loop(id_):
    found = tiny.losses(tiny.detector(id_), tiny.several())
    expected = {f"s{loop}.{term}" for loop in range(3) for term in TERMS}
    if id_ == "r3_advanced":
        expected.add("loss_mask_iou")
    assert set(found) == expected


# ---------------------------------------------------------------------- shuffle_thresholds


@pytest.mark.parametrize("key", range(6))
def test_shuffled_thresholds_train_as_those_in_that_order(key):
    shuffled = tiny.detector("r3_naive_inc", shuffle_thresholds=True)
    shuffled.roi_head.pass_key = key
    order = shuffled.roi_head._order_of_thresholds()
    assert sorted(order) == [0, 1, 2]
    ordered = tiny.detector("r3_naive_inc", iou_thresholds=[(0.5, 0.6, 0.7)[i] for i in order])
    pictures = tiny.several()
    assert not changed(tiny.losses(shuffled, pictures), tiny.losses(ordered, pictures))


def test_shuffled_thresholds_differ_from_pass_to_pass_and_leave_evaluation_alone():
    shuffled, plain = (
        tiny.detector("r3_naive_inc", shuffle_thresholds=True),
        tiny.detector("r3_naive_inc"),
    )
    assert (
        len({tuple(shuffled.roi_head._order_of_thresholds()) for _ in range(50)}) == 6
    )  # no tap: any
    pictures = tiny.several()
    for one, other in zip(
        tiny.detections(plain, pictures), tiny.detections(shuffled, pictures), strict=True
    ):
        assert tiny.same(one, other)


# ------------------------------------------------------------------- mask_flow_in_training


@pytest.mark.parametrize("id_", LOOPED)
def test_mask_flow_in_training_changes_later_mask_losses_only(id_):
    plain, flowing = tiny.detector(id_), tiny.detector(id_, mask_flow_in_training=True)
    pictures = tiny.several()
    differing = changed(tiny.losses(plain, pictures), tiny.losses(flowing, pictures))
    expected = {"s1.loss_mask", "s2.loss_mask"}
    assert differing == expected | ({"loss_mask_iou"} if id_ == "r3_advanced" else set())
    for one, other in zip(
        tiny.detections(plain, pictures), tiny.detections(flowing, pictures), strict=True
    ):
        assert tiny.same(one, other)


def test_the_residual_weight_gets_a_gradient_of_zero_and_its_bias_another():
    detector = tiny.detector("r3_naive_inc")
    gradients(detector, tiny.losses(detector, tiny.several()))
    residual = detector.roi_head.mask_head.conv_res.conv
    assert residual.weight.grad is not None
    assert residual.weight.grad.abs().max() == 0
    assert residual.bias.grad.abs().max() > 0


def test_the_residual_weight_trains_with_mask_flow_in_training():
    detector = tiny.detector("r3_naive_inc", mask_flow_in_training=True)
    gradients(detector, tiny.losses(detector, tiny.several()))
    residual = detector.roi_head.mask_head.conv_res.conv
    assert residual.weight.grad.abs().max() > 0
    assert residual.bias.grad.abs().max() > 0


def test_flow_in_training_is_the_flow_of_evaluation():
    """The mask of loop t comes from t passes, each given the features of the one before."""
    detector = tiny.detector("r3_naive_inc", mask_flow_in_training=True)
    seen = []
    detector.roi_head.mask_head.register_forward_hook(lambda _, args, out: seen.append((args, out)))
    tiny.losses(detector, tiny.several())
    passes_of_loops = [seen[:1], seen[1:3], seen[3:]]
    assert [len(passes) for passes in passes_of_loops] == [1, 2, 3]
    for passes in passes_of_loops:
        earlier = None
        for (given, flowing), out in passes:
            assert given is passes[0][0][0]
            assert flowing is earlier
            earlier = out


# --------------------------------------------------------------------------- mask_flow


@pytest.mark.parametrize("id_", LOOPED)
def test_mask_flow_changes_the_masks_of_later_loops_only(id_):
    flowing, apart = tiny.detector(id_), tiny.detector(id_, mask_flow=False)
    pictures = tiny.several()
    assert not changed(tiny.losses(flowing, pictures), tiny.losses(apart, pictures))
    with merged_masks(flowing) as with_flow, merged_masks(apart) as without:
        one = tiny.detections(flowing, pictures, [1, 3])
        other = tiny.detections(apart, pictures, [1, 3])
    for a, b in zip(one[1], other[1], strict=True):
        assert tiny.same(a, b)
    for a, b in zip(one[3], other[3], strict=True):
        for name in ("bboxes", "scores", "labels"):
            assert torch.equal(a[name], b[name])
        if id_ == "r3_advanced":
            assert not torch.equal(a.mask_scores, b.mask_scores)
    for a, b in zip(with_flow[1], without[1], strict=True):
        assert not torch.allclose(a, b, atol=1e-4)


def test_without_mask_flow_all_passes_are_the_same():
    detector = tiny.detector("r3_naive_inc", mask_flow=False)
    head = detector.roi_head
    pictures = tiny.several()[:1]
    seen = []
    head.mask_head.register_forward_hook(lambda _, __, out: seen.append(out[0]))
    tiny.detections(detector, pictures, [3])
    assert len(seen) == 3
    assert torch.equal(seen[0], seen[1])
    assert torch.equal(seen[0], seen[2])


def test_masks_are_the_mean_of_the_loops_and_pooled_once():
    detector = tiny.detector("r3_naive_inc")
    head, seen, pooled = detector.roi_head, [], []
    head.mask_head.register_forward_hook(lambda _, __, out: seen.append(out[0]))
    head.mask_roi_extractor.register_forward_hook(lambda _, __, out: pooled.append(out))
    with merged_masks(detector) as merged:
        tiny.detections(detector, tiny.several()[:1], [4])
    assert (len(seen), len(pooled)) == (4, 1)
    mean = torch.stack([logits.sigmoid() for logits in seen]).mean(0)
    torch.testing.assert_close(merged[0][0], mean)


# ------------------------------------------------------------------------------- loops


@pytest.mark.parametrize("id_", LOOPED)
def test_loops_changes_evaluation_only(id_):
    three, two = tiny.detector(id_), tiny.detector(id_, loops=2)
    pictures = tiny.several()
    assert not changed(tiny.losses(three, pictures), tiny.losses(two, pictures))
    nested = tiny.detections(three, pictures, [2, 3])
    for loops, detector in ((3, three), (2, two)):
        for one, other in zip(tiny.detections(detector, pictures), nested[loops], strict=True):
            assert tiny.same(one, other)
    assert not torch.equal(nested[2][0].bboxes, nested[3][0].bboxes)


def test_scores_are_the_mean_of_the_logits_and_boxes_the_last_loop_s():
    detector = tiny.detector("r3_naive_inc")
    head, forwards, given = detector.roi_head, [], []
    head.bbox_head.register_forward_hook(lambda _, __, out: forwards.append(out))
    original = head.bbox_head.predict_by_feat
    head.bbox_head.predict_by_feat = lambda **kw: given.append(kw) or original(**kw)
    tiny.detections(detector, tiny.several()[:2], [3])
    assert len(forwards) == 3
    logits = torch.stack([scores for scores, _ in forwards]).mean(0)
    torch.testing.assert_close(torch.cat(given[0]["cls_scores"]), logits)
    assert torch.equal(torch.cat(given[0]["bbox_preds"]), forwards[-1][1])


@pytest.mark.parametrize("loops", [0, -1])
def test_loops_below_one_are_refused(loops):
    with pytest.raises(ValueError, match=f"loops: {loops}; expected 1 or more"):
        tiny.detector("r3_naive_inc", loops=loops)


# ------------------------------------------------------------------------ loop_weights


@pytest.mark.parametrize("id_", LOOPED)
def test_loop_weights_scale_the_losses_of_their_loop_only(id_):
    usual = tiny.losses(tiny.detector(id_), tiny.several())
    other = tiny.losses(tiny.detector(id_, loop_weights=[1.0, 0.25, 2.0]), tiny.several())
    ratio = {"s0": 1.0, "s1": 0.25 / 0.75, "s2": 2.0 / 0.5}
    for name, value in usual.items():
        loop, _, term = name.partition(".")
        factor = ratio[loop] if "loss" in term else 1.0  # acc is no loss, nor is loss_mask_iou s2's
        torch.testing.assert_close(other[name], value * factor)


def test_default_loop_weights_are_the_authors():
    detector = tiny.detector("r3_4loops")
    assert detector.roi_head.loop_weights == [1.0, 0.75, 0.5, 0.3]
    usual = tiny.losses(detector, tiny.several())
    plain = tiny.losses(tiny.detector("r3_4loops", loop_weights=[1.0] * 4), tiny.several())
    for loop, weight in enumerate((1.0, 0.75, 0.5, 0.3)):
        for term in ("loss_cls", "loss_bbox", "loss_mask"):
            name = f"s{loop}.{term}"
            torch.testing.assert_close(usual[name], weight * plain[name])


def test_weights_do_not_change_evaluation():
    one = tiny.detections(tiny.detector("r3_advanced"), tiny.several())
    other = tiny.detections(tiny.detector("r3_advanced", loop_weights=[0.1] * 3), tiny.several())
    assert all(tiny.same(a, b) for a, b in zip(one, other, strict=True))


def test_too_few_loop_weights_are_refused():
    expected = "loop_weights: 2 weights for 3 IoU thresholds; give one weight for each loop"
    with pytest.raises(ValueError, match=expected):
        tiny.detector("r3_naive_inc", loop_weights=[1.0, 0.5])


# ---------------------------------------------------------------------- iou_thresholds


@contextmanager
def sampled(detector):
    """The IoUs of what each loop's sampler drew: (loop, positives, negatives)."""
    head, seen = detector.roi_head, []
    originals = [sampler.sample for sampler in head.bbox_sampler]

    def watch(loop):
        def sample(assigned, *args, **kwargs):
            result = originals[loop](assigned, *args, **kwargs)
            overlaps = assigned.max_overlaps
            seen.append((loop, overlaps[result.pos_inds], overlaps[result.neg_inds]))
            assert (assigned.gt_inds >= 0).all()  # each box is positive or negative, none left out
            return result

        return sample

    for loop, sampler in enumerate(head.bbox_sampler):
        sampler.sample = watch(loop)
    yield seen


@pytest.mark.parametrize("thresholds", [[0.5], [0.7, 0.6, 0.5], [0.5, 0.6, 0.7, 0.8]])
def test_each_loop_samples_twice_at_its_own_threshold(thresholds):
    detector = tiny.detector("r3_naive_inc", iou_thresholds=thresholds)
    for assigner in detector.roi_head.bbox_assigner:
        assigner.match_low_quality = False  # they may lie below the threshold
    pictures = tiny.several()
    with sampled(detector) as seen:
        losses = tiny.losses(detector, pictures)
    assert len({name.partition(".")[0] for name in losses}) == len(thresholds)
    assert [loop for loop, _, _ in seen] == [
        loop for loop in range(len(thresholds)) for _ in range(2 * len(pictures))
    ]
    for loop, positives, negatives in seen:
        assert (positives >= thresholds[loop]).all()
        assert (negatives < thresholds[loop]).all()


def test_low_quality_matches_are_on_in_every_loop():
    detector = tiny.detector("r3_4loops")
    assigners = detector.roi_head.bbox_assigner
    assert [a.match_low_quality for a in assigners] == [True] * 4
    assert [a.min_pos_iou for a in assigners] == [0.5, 0.6, 0.7, 0.8]


def test_a_threshold_changes_its_loop_and_later_ones_only():
    pictures = tiny.several()
    one = tiny.losses(tiny.detector("r3_naive_inc"), pictures)
    other = tiny.losses(tiny.detector("r3_naive_inc", iou_thresholds=[0.5, 0.8, 0.7]), pictures)
    differing = changed(one, other)
    assert "s1.loss_cls" in differing
    assert not any(name.startswith("s0.") for name in differing)


def test_thresholds_do_not_change_the_network_or_its_evaluation():
    inc, single = tiny.detector("r3_naive_inc"), tiny.detector("r3_1loop")
    assert inc.state_dict().keys() == single.state_dict().keys()
    pictures = tiny.several()
    one, other = (tiny.detections(found, pictures, [2]) for found in (inc, single))
    assert all(tiny.same(a, b) for a, b in zip(one[2], other[2], strict=True))
    assert (inc.roi_head.loops, single.roi_head.loops) == (3, 1)


# ------------------------------------------------------------------------ the loop itself


def test_refined_boxes_of_a_loop_are_the_next_one_s_without_the_ground_truth():
    detector = tiny.detector("r3_2loops")
    head, given, drawn = detector.roi_head, [], []
    assign = [assigner.assign for assigner in head.bbox_assigner]
    sample = [sampler.sample for sampler in head.bbox_sampler]
    for loop in range(2):
        head.bbox_assigner[loop].assign = lambda boxes, *rest, i=loop: (
            given.append(boxes.priors) or assign[i](boxes, *rest)
        )
        head.bbox_sampler[loop].sample = lambda *rest, i=loop: (
            drawn.append(sample[i](*rest)) or drawn[-1]
        )
    tiny.losses(detector, tiny.several()[:1])
    first, refined, second, _ = given
    assert not torch.equal(first, refined)
    assert torch.equal(refined, second)
    truth = int(drawn[0].pos_is_gt.sum())
    assert truth > 0
    assert len(refined) == len(drawn[0].priors) - truth
    assert not refined.requires_grad


def test_the_refinement_is_without_gradient_to_the_loop_before():
    detector = tiny.detector("r3_2loops")
    terms = tiny.losses(detector, tiny.several())
    only_second = {name: value for name, value in terms.items() if name == "s1.loss_mask"}
    gradients(detector, only_second)
    assert all(p.grad is None for p in detector.roi_head.bbox_head.parameters())
    assert detector.roi_head.mask_head.conv_logits.weight.grad.abs().max() > 0
