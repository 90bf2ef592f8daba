"""Draws depend on (seed, epoch, image, loop) alone."""

import random
from itertools import permutations

import numpy as np
import pytest
import torch

from r3cnn.core.seeding import key
from r3cnn.data.seeding import seed_libraries
from r3cnn.training import sampling as draws
from r3cnn.training.sampling import SamplerTaps
from tests.r3cnn import tiny


def test_a_key_is_the_same_on_every_machine():
    """Numbers written down once: others would change every training."""
    assert key(0, 3, "x") == 763434705315019283
    assert key(7, 0, 397133, "roi", 2, 1) == 4275729740020691951


def test_keys_differ_by_every_part_and_fit_in_63_bits():
    parts = [(a, b, c) for a in range(10) for b in range(10) for c in ("1", "01", 1, 11)]
    keys = {key(*one) for one in parts}
    assert len(keys) == len(parts)
    assert all(0 <= one < 2**63 for one in keys)


def test_all_three_libraries_are_seeded():
    def numbers():
        return random.random(), np.random.random(), torch.rand(1).item()

    seed_libraries(0, "a")
    first = numbers()
    numbers()
    seed_libraries(0, "a")
    assert numbers() == first
    seed_libraries(0, "b")
    assert all(x != y for x, y in zip(numbers(), first, strict=True))


# ----------------------------------------------------------------------------- samplers


class Watcher:
    """Stands between a tap and its sampler; keeps what was drawn, by tap and call."""

    def __init__(self, taps: SamplerTaps) -> None:
        self.drawn: dict[tuple, list] = {}
        for tap in taps.taps:
            tap.sample = self._watch(tap)

    def _watch(self, tap):
        draw = tap.sample

        def sample(assigned, *args, **kwargs):
            result = draw(assigned, *args, **kwargs)
            assignment, image = divmod(tap.calls - 1, len(tap.taps.image_ids))
            place = (tap.name, tap.loop, assignment, tap.taps.image_ids[image])
            self.drawn[place] = [result.pos_inds.tolist(), result.neg_inds.tolist()]
            return result

        return sample


@pytest.fixture(scope="module")
def tapped():
    """A detector that samples so few that chance decides, its taps, and what they draw."""
    detector = tiny.detector("r3_2loops").train()
    detector.rpn_head.sampler.num = 16
    for sampler in detector.roi_head.bbox_sampler:
        sampler.num = 8
    taps = SamplerTaps(detector, seed=0)
    return detector, taps, Watcher(taps)


def sampled(tapped, epoch=0, disturb=0, seed=0, ids=(100, 101, 102, 103)) -> dict:
    """What one pass draws; `disturb` numbers are drawn from the global generators before."""
    detector, taps, watcher = tapped
    torch.rand(disturb)
    random.random()
    watcher.drawn.clear()
    taps.seed = seed
    taps.begin(epoch, ids)
    detector(**detector.data_preprocessor(tiny.batch(tiny.several()), True), mode="loss")
    return dict(watcher.drawn)


def test_a_draw_does_not_depend_on_former_draws(tapped):
    first = sampled(tapped)
    assert len(first) == 4 + 2 * 2 * 4  # RPN; two loops, before and after the refinement
    assert sampled(tapped, disturb=17) == first


@pytest.mark.parametrize("change", [{"epoch": 1}, {"seed": 1}, {"ids": (200, 201, 202, 203)}])
def test_a_draw_depends_on_seed_epoch_and_image(tapped, change):
    first, other = sampled(tapped), sampled(tapped, **change)
    assert len(first) == len(other) == 4 + 2 * 2 * 4
    # later samplings choose among what the first one left, which may be all of it
    differing = [
        one != two
        for (place, one), two in zip(first.items(), other.values(), strict=True)
        if place[1:3] == (0, 0)
    ]
    assert len(differing) == 8  # RPN and first loop, four images
    assert all(differing)


def test_an_images_first_draws_do_not_depend_on_the_images_beside_it(tapped):
    """RPN and first loop; what follows is computed, and convolutions round by the batch."""
    detector, taps, watcher = tapped
    together = sampled(tapped)
    pictures = tiny.several()
    proposed = tiny.proposals(pictures)

    def first_loop(chosen):
        watcher.drawn.clear()
        taps.seed, ids = 0, [100 + i for i in chosen]
        taps.begin(0, ids)
        x, samples = tiny.prepared(detector, [pictures[i] for i in chosen])
        detector.roi_head.loss(x, [proposed[i] for i in chosen], samples)
        return {place: drawn for place, drawn in watcher.drawn.items() if place[1:3] == (0, 0)}

    every, some, alone = first_loop([0, 1, 2, 3]), first_loop([2, 0]), first_loop([2])
    assert len(every) == 4
    for found in (some, alone):
        assert found
        assert all(every[place] == drawn for place, drawn in found.items())
    assert together.keys() >= every.keys()


def test_the_order_of_thresholds_is_drawn_from_seed_epoch_and_images():
    detector = tiny.detector("r3_naive_inc", shuffle_thresholds=True)
    taps = SamplerTaps(detector, seed=0)

    def order(epoch=0, ids=(100, 101), seed=0):
        taps.seed = seed
        taps.begin(epoch, ids)
        torch.rand(3)  # what was drawn before does not count
        return detector.roi_head._order_of_thresholds()

    orders = [order(epoch) for epoch in range(40)]
    assert {tuple(one) for one in orders} == set(permutations(range(3)))
    assert [order(epoch) for epoch in range(40)] == orders
    assert [order(epoch, seed=1) for epoch in range(40)] != orders
    assert [order(epoch, ids=(100, 102)) for epoch in range(40)] != orders


def test_the_draws_of_one_image_differ_by_tap_loop_and_assignment(tapped, monkeypatch):
    seen = []
    monkeypatch.setattr(draws, "key", lambda *parts: seen.append(parts) or key(*parts))
    sampled(tapped)
    assert len(set(seen)) == len(seen) == 20
    assert {parts[:3] for parts in seen} == {(0, 0, 100 + i) for i in range(4)}
    assert {parts[3:] for parts in seen} == {("rpn", 0, 0)} | {
        ("roi", loop, assignment) for loop in (0, 1) for assignment in (0, 1)
    }
