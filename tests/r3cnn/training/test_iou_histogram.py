"""The counts are numpy's, complete, and cost the device no wait."""

import csv
import io
import random

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from r3cnn.training.iou_histogram import (
    ASSIGNMENTS,
    BINS,
    HISTOGRAM_COLUMNS,
    VIEWS,
    IoUHistogram,
    rows_of_epoch,
    to_csv,
)
from r3cnn.training.sampling import SamplerTaps
from tests.r3cnn import tiny
from tests.r3cnn.waiting import HostSynchronisation, NoWaiting


def edge_cases() -> np.ndarray:
    """All edges of the bins, their neighbours on both sides, and many values between."""
    edges = np.linspace(0, 1, BINS + 1).astype(np.float32)
    near = [edges, np.nextafter(edges, np.float32(0)), np.nextafter(edges, np.float32(1))]
    between = np.random.default_rng(0).uniform(0, 1, 5000).astype(np.float32)
    return np.concatenate([*near, between, np.zeros(3, np.float32), np.ones(3, np.float32)])


def test_counts_are_numpys():
    values = edge_cases()
    histogram = IoUHistogram(loops=2, assignments=2)
    histogram.add(1, 0, 2, torch.from_numpy(values))
    expected = np.histogram(values, BINS, (0, 1))[0]
    assert histogram.counts[1, 0, 2].tolist() == expected.tolist()
    assert histogram.counts.sum() == len(values)


@pytest.mark.parametrize("threshold", [0.5, 0.6, 0.7, 0.8])
def test_an_iou_at_a_threshold_counts_as_above_it(threshold):
    """As in the assigner, which compares float32 with the threshold."""
    iou = torch.tensor([threshold])
    assert (iou >= threshold).all()
    histogram = IoUHistogram(1, 1)
    histogram.add(0, 0, 0, iou)
    assert histogram.counts[0, 0, 0].argmax() == round(threshold * BINS)


def test_nothing_and_rounding_above_one_are_counted():
    histogram = IoUHistogram(1, 1)
    histogram.add(0, 0, 0, torch.zeros(0))
    assert histogram.counts.sum() == 0
    histogram.add(0, 0, 0, torch.tensor([1.0000001, -1e-7]))
    assert histogram.counts[0, 0, 0].tolist() == [1] + [0] * (BINS - 2) + [1]


def test_counts_do_not_overflow():
    histogram = IoUHistogram(1, 1)
    histogram.counts.fill_(2**40)
    histogram.add(0, 0, 0, torch.ones(3))
    assert histogram.counts[0, 0, 0, -1] == 2**40 + 3


# ------------------------------------------------------------------------------ no waiting


@pytest.fixture
def no_waiting(monkeypatch) -> list[str]:
    """Watches every call of a sampler's tap but the drawing itself; the operations that were seen."""
    from r3cnn.training import sampling as draws

    call, seen = draws.SamplerTap.__call__, []

    def watched(tap, *args, **kwargs):
        drawing = tap.sample
        with NoWaiting() as watch:

            def draw(*inner, **more):
                with watch.paused():
                    return drawing(*inner, **more)

            tap.sample = draw
            try:
                return call(tap, *args, **kwargs)
            finally:
                tap.sample = drawing
                seen.extend(watch.seen)

    monkeypatch.setattr(draws.SamplerTap, "__call__", watched)
    return seen


@pytest.mark.parametrize("id_", ["mask_1x", "htc", "r3_naive_inc", "r3_advanced"])
def test_counting_in_training_waits_for_nothing(id_, no_waiting):
    detector = tiny.detector(id_).train()
    taps = SamplerTaps(detector, seed=0)
    train(detector, taps)
    assert taps.histogram.counts.sum() > 0
    assert no_waiting.count("aten::scatter_add_") == counted_calls(taps) * 4


@pytest.mark.parametrize(
    "waits",
    [
        lambda self, candidates: candidates.sum().item(),
        lambda self, candidates: candidates[candidates > 0.5],
        lambda self, candidates: torch.bincount((candidates * BINS).long()),
    ],
)
def test_counting_that_waits_is_noticed(no_waiting, monkeypatch, waits):
    add = IoUHistogram.add_sampling

    def wrong(self, loop, assignment, candidates, *rest):
        waits(self, candidates)
        add(self, loop, assignment, candidates, *rest)

    monkeypatch.setattr(IoUHistogram, "add_sampling", wrong)
    detector = tiny.detector("r3_1loop").train()
    with pytest.raises(HostSynchronisation):
        train(detector, SamplerTaps(detector, seed=0))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")
def test_counting_waits_for_nothing_on_a_gpu():
    histogram = IoUHistogram(2, 2, "cuda")
    values, first = torch.rand(500, device="cuda"), torch.arange(100, device="cuda")
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        histogram.add_sampling(1, 1, values, values, first, first)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert histogram.counts.sum() == 800


# ------------------------------------------------------------------------- what is counted


def train(detector, taps, pictures=None, epoch: int = 0):
    """One pass of a detector that is tapped."""
    pictures = tiny.several() if pictures is None else pictures
    taps.begin(epoch, [100 + i for i in range(len(pictures))])
    data = detector.data_preprocessor(tiny.batch(pictures), True)
    return detector(**data, mode="loss")


def counted_calls(taps) -> int:
    """How often a counting tap was called in one pass."""
    return sum(tap.calls for tap in taps.taps if tap.counted)


def test_both_assignments_are_counted_where_the_model_samples_again():
    for id_, shape in {
        "mask_1x": (1, 1),
        "htc": (3, 2),
        "r3_naive_inc": (3, 2),
        "r3_4loops": (4, 2),
    }.items():
        detector = tiny.detector(id_).train()
        taps = SamplerTaps(detector, seed=0)
        train(detector, taps)
        counts = taps.histogram.counts
        assert tuple(counts.shape) == (*shape, len(VIEWS), BINS)
        assert (counts.sum(-1) > 0).all(), id_
        assert counted_calls(taps) == shape[0] * shape[1] * len(tiny.several())


@pytest.mark.parametrize("id_", ["mask_1x", "htc", "r3_naive_dec"])
def test_views_are_those_of_the_sampling(id_):
    """Against what the samplers returned: numpy's histograms, image by image, summed."""
    detector = tiny.detector(id_).train()
    taps = SamplerTaps(detector, seed=0)
    drawn, candidates = spy(detector, taps)
    train(detector, taps)
    counts = taps.histogram.counts.numpy()
    expected = np.zeros_like(counts)
    for place, (assigned, result) in zip(candidates, drawn, strict=True):
        loop, assignment, before = place
        overlaps = assigned.max_overlaps.numpy()
        pos, neg = result.pos_inds.numpy(), result.neg_inds.numpy()
        for view, values in enumerate(
            (before, overlaps[np.concatenate((pos, neg))], overlaps[pos])
        ):
            expected[loop, assignment, view] += np.histogram(values, BINS, (0, 1))[0]
    np.testing.assert_array_equal(counts, expected)
    assert (counts[:, :, 2] <= counts[:, :, 1]).all()  # positives are part of sampled
    assert (
        counts[0, 0, 0, -1] < counts[0, 0, 1, -1]
    ).all()  # ground truth is sampled, no candidate


def spy(detector, taps):
    """What each counting tap's sampler was given before sampling, and returned."""
    drawn, given = [], []
    images = len(tiny.several())
    for tap in taps.taps:
        if not tap.counted:
            continue

        def sample(assigned, *args, tap=tap, draw=tap.sample, **kwargs):
            before = assigned.max_overlaps.clone().numpy()
            given.append((tap.loop, (tap.calls - 1) // images, before))
            result = draw(assigned, *args, **kwargs)
            drawn.append((assigned, result))
            return result

        tap.sample = sample
    return drawn, given


def test_sampled_holds_the_ground_truth_and_candidates_do_not():
    """An object far from every proposal: what is positive is the object itself."""
    detector = tiny.detector("r3_1loop")
    taps = SamplerTaps(detector, seed=0)
    pictures = [tiny.Picture(96, 96, [[60, 60, 90, 90]], [0])]
    far = [InstanceData(bboxes=torch.tensor([[0.0, 0, 20, 20], [5, 5, 30, 30]]))]
    taps.begin(0, [100])
    tiny.losses(detector, pictures, far)
    candidates, sampled, positives = taps.histogram.counts[0, 0].tolist()
    assert candidates == [2] + [0] * 19
    assert sampled == [2] + [0] * 18 + [1]
    assert positives == [0] * 19 + [1]


def test_images_without_objects_count_as_candidates_of_no_overlap():
    detector = tiny.detector("r3_naive_inc").train()
    taps = SamplerTaps(detector, seed=0)
    train(detector, taps, [tiny.Picture(64, 64)])
    counts = taps.histogram.counts
    assert counts[..., 2, :].sum() == 0
    assert counts[..., 1:].sum() == 0
    assert (counts[:, :, 0, 0] > 0).all()


def test_counting_does_not_change_the_training():
    losses = []
    for counted in (True, False):
        detector = tiny.detector("r3_naive_inc").train()
        taps = SamplerTaps(detector, seed=0)
        for tap in taps.taps:
            tap.counted = tap.counted and counted
        losses.append(train(detector, taps))
        assert bool(taps.histogram.counts.sum()) is counted
    for name in losses[0]:
        if isinstance(losses[0][name], torch.Tensor):
            assert torch.equal(losses[0][name], losses[1][name])


# --------------------------------------------------------------------------------- rows


def test_rows_are_complete_zeros_too():
    counts = torch.zeros(2, 2, 3, BINS, dtype=torch.int64)
    counts[1, 1, 2, 19] = 7
    rows = list(csv.DictReader(io.StringIO(to_csv(rows_of_epoch(3, counts)))))
    assert len(rows) == 2 * 2 * 3 * BINS
    assert tuple(rows[0]) == HISTOGRAM_COLUMNS
    assert {row["epoch"] for row in rows} == {"3"}
    assert {row["loop"] for row in rows} == {"1", "2"}
    assert {row["assignment"] for row in rows} == set(ASSIGNMENTS)
    assert {row["view"] for row in rows} == set(VIEWS)
    assert [row for row in rows if row["count"] != "0"] == [
        dict(
            zip(
                HISTOGRAM_COLUMNS, ("3", "2", "mask", "positives", "0.95", "1.00", "7"), strict=True
            )
        )
    ]
    edges = [(row["iou_low"], row["iou_high"]) for row in rows[:BINS]]
    assert edges[:3] == [("0.00", "0.05"), ("0.05", "0.10"), ("0.10", "0.15")]


def test_rows_of_a_model_without_a_second_sampling_know_one_assignment():
    rows = rows_of_epoch(1, torch.zeros(1, 1, 3, BINS, dtype=torch.int64))
    assert len(rows) == 3 * BINS
    assert {(row["loop"], row["assignment"]) for row in rows} == {(1, "box")}


def test_every_count_reaches_its_row():
    numbers = list(range(2 * 2 * 3 * BINS))
    random.Random(0).shuffle(numbers)
    counts = torch.tensor(numbers).reshape(2, 2, 3, BINS)
    assert [row["count"] for row in rows_of_epoch(1, counts)] == numbers
