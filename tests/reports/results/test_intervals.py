"""Intervals of a results folder: images and seeds, paired, and what they are known from."""

import numpy as np
import pytest

from r3cnn.core.errors import UserError
from reports.results.differences import Side, difference_interval, difference_of
from reports.results.intervals import (
    ELSEWHERE,
    MEASURED,
    UNKNOWN,
    Interval,
    cell_interval,
    scored,
    seed_spread,
    taken_in,
)
from reports.results.load import Results, load_results
from tests.reports.folders import ResultFolder

A, B = ("htc", 3), ("mask_1x", 1)
# 1,001 resamples evenly from -1 to +1 have this standard deviation.
EVEN = np.linspace(-1, 1, 1001).std(ddof=1)
T15 = 2.1314  # Student's t at 95 % for 16 images


def run(folder: ResultFolder, *seeds: float, other: tuple[float, ...] = (), **facts) -> Results:
    """A of these APs, one a seed, and B, 2 points lower or of APs of its own."""
    for seed, ap in enumerate(seeds or (0.42,)):
        folder.score(*A, ap, 0.3, seed=seed)
        folder.resample(*A, ap, seed=seed, spread=0.02)
    for seed, ap in enumerate(other or [ap - 0.02 for ap in seeds or (0.42,)]):
        folder.score(*B, ap, 0.3, seed=seed)
        folder.resample(*B, ap, seed=seed, spread=0.03, **facts)
    return load_results(folder.path)


def cell(results: Results, evaluation=A, metric: str = "bbox.AP") -> Interval | None:
    return cell_interval(scored(results, *evaluation, metric))


def difference(results: Results, left=A, right=B) -> Interval | None:
    return difference_interval(*(scored(results, *side, "bbox.AP") for side in (left, right)))


def test_one_seed_of_an_unknown_spread_is_sure_of_its_images_alone(smoke: ResultFolder) -> None:
    results = run(smoke)
    found = cell(results)
    assert (found.seeds, found.spread_from) == (1, UNKNOWN)
    assert found.bounds == pytest.approx((42 - T15 * 2 * EVEN, 42 + T15 * 2 * EVEN), abs=1e-3)
    assert "unknown" in taken_in(results)


def test_the_resamples_own_mean_moves_nothing(smoke: ResultFolder) -> None:
    smoke.score(*A, 0.42, 0.3)
    smoke.resample(*A, 0.4235, spread=0.02)
    low, high = cell(load_results(smoke.path)).bounds
    assert (low + high) / 2 == pytest.approx(42)


def test_a_difference_is_paired_over_the_images(smoke: ResultFolder) -> None:
    # Resample n is n-th in both: the differences reach from +1 to -1 about 2, not to +-5.
    found = difference(run(smoke))
    assert found.value == pytest.approx(2)
    assert found.bounds == pytest.approx((2 - T15 * EVEN, 2 + T15 * EVEN), abs=1e-3)


def test_the_spread_is_pooled_over_trainings_with_several_seeds(smoke: ResultFolder) -> None:
    results = run(smoke, 0.41, 0.42, 0.43, other=(0.40, 0.41))
    spread, known_from = seed_spread(results, "bbox.AP")
    assert known_from == MEASURED
    assert spread.variance == pytest.approx((2 * 1 + 1 * 0.5) / 3)
    assert (spread.images, spread.freedom) == (pytest.approx(0, abs=1e-9), 3)
    found = difference(results)
    assert (found.seeds, found.spread_from) == (2, MEASURED)
    variance = EVEN**2 + spread.variance * (1 / 3 + 1 / 2)
    assert found.estimate.error == pytest.approx(variance**0.5)
    assert "0.91 box AP" in taken_in(results)


def test_a_training_that_broke_with_one_seed_spreads_alone(smoke: ResultFolder) -> None:
    for training, second in (("dcn", 0.005), ("gcnet", 0.401), ("groie", 0.399)):
        for seed, ap in enumerate((0.4, second)):
            smoke.score(training, 1, ap, 0.3, seed=seed)
            smoke.resample(training, 1, ap, seed=seed, spread=0.02)
    results = run(smoke, 0.41, 0.42, 0.43, other=(0.40, 0.41))
    spread, _ = seed_spread(results, "bbox.AP", "htc")
    assert spread == seed_spread(results, "bbox.AP")[0]
    assert spread.variance < 1
    own, known_from = seed_spread(results, "bbox.AP", "dcn")
    assert known_from == MEASURED
    assert own.variance == pytest.approx(39.5**2 / 2)
    assert cell(results, ("dcn", 1)).bounds == (0, 100)  # one degree of freedom
    assert difference(results, ("dcn", 1), ("gcnet", 1)).bounds == (-100, 100)
    assert (
        cell(results, ("dcn", 1)).estimate.error > 10 * cell(results, ("gcnet", 1)).estimate.error
    )
    assert "dcn" in taken_in(results)
    assert "gcnet" not in taken_in(results)


def test_one_seed_takes_the_spread_of_the_others(smoke: ResultFolder) -> None:
    smoke.score("r3_naive_inc", 3, 0.4, 0.3)
    smoke.resample("r3_naive_inc", 3, 0.4, spread=0)
    found = cell(run(smoke, 0.41, 0.43), ("r3_naive_inc", 3))
    assert (found.seeds, found.spread_from) == (1, MEASURED)
    assert found.estimate.error == pytest.approx(2**0.5)


def test_at_the_papers_scale_the_spread_is_known_from_elsewhere(paper: ResultFolder) -> None:
    results = run(paper)
    spread, known_from = seed_spread(results, "bbox.AP")
    assert (spread.variance, spread.freedom, known_from) == (pytest.approx(0.01), 8, ELSEWHERE)
    assert seed_spread(results, "bbox.APm") == (None, UNKNOWN)
    assert difference(results).estimate.error == pytest.approx((EVEN**2 + 0.02) ** 0.5)


def test_evaluations_of_the_same_weights_are_paired_over_seeds_too(smoke: ResultFolder) -> None:
    for loops, more in ((2, 0.0), (3, 0.01)):
        for seed, ap in enumerate((0.36, 0.40, 0.44)):
            smoke.score("r3_naive_inc", loops, ap + more, 0.3, seed=seed)
            smoke.resample("r3_naive_inc", loops, ap + more, seed=seed)
    results = load_results(smoke.path)
    found = difference(results, ("r3_naive_inc", 3), ("r3_naive_inc", 2))
    assert found.bounds == pytest.approx((1, 1))
    assert cell(results, ("r3_naive_inc", 3)).estimate.error > 2
    # one training, however many L_e
    assert seed_spread(results, "bbox.AP")[0].freedom == 2


def test_other_seeds_of_the_same_weights_are_left_out(smoke: ResultFolder) -> None:
    for id_, aps in (("r3_naive_inc", (0.40, 0.30, 0.44)), ("r3_flow_off", (0.41,))):
        for seed, ap in enumerate(aps):
            smoke.score(id_, 3, ap, 0.3, seed=seed)
            smoke.resample(id_, 3, ap, seed=seed)
            smoke.train(
                id_, seed, **({"trained_as": "r3_naive_inc"} if id_ == "r3_flow_off" else {})
            )
    results = load_results(smoke.path)
    own, other = ("r3_flow_off", 3), ("r3_naive_inc", 3)
    found = difference_of(Side(results, *own), Side(results, *other), "bbox.AP")
    assert (found.left, found.right) == (pytest.approx(41), pytest.approx(40))
    assert found.interval.value == pytest.approx(found.value) == pytest.approx(1)
    assert found.interval.seeds == 1
    assert difference(results, other, own).value == pytest.approx(-1)


def test_trainings_of_their_own_keep_all_their_seeds(smoke: ResultFolder) -> None:
    results = run(smoke, 0.41, 0.42, 0.46, other=(0.40,))
    found = difference_of(Side(results, *A), Side(results, *B), "bbox.AP")
    assert (found.left, found.right) == (pytest.approx(43), pytest.approx(40))
    assert found.interval.value == pytest.approx(3)


def test_a_side_without_a_value_has_no_difference(smoke: ResultFolder) -> None:
    results = run(smoke)
    assert difference_of(Side(results, *A), Side(results, "dcn", 1), "bbox.AP") is None


def test_the_seeds_apart_are_so_for_every_metric(smoke: ResultFolder) -> None:
    for training, second in (("dcn", 0.005), ("gcnet", 0.401), ("groie", 0.399)):
        for seed, ap in enumerate((0.4, second)):
            smoke.score(training, 1, ap, 0.3 + seed / 1000, seed=seed)
            smoke.resample(training, 1, ap, seed=seed, spread=0.02)
    results = run(smoke, 0.41, 0.42, 0.43, other=(0.40, 0.41))
    together = seed_spread(results, "segm.AP")[0]
    assert seed_spread(results, "segm.AP", "dcn")[0] is not together
    assert seed_spread(results, "segm.AP", "gcnet")[0] is together


def test_given_weights_say_nothing_of_seeds(smoke: ResultFolder) -> None:
    for id_ in ("htc", "mask_1x"):
        for seed in (0, 1):
            smoke.train(id_, seed, weights={"source": "x.pth", "sha256": "0" * 64})
    assert seed_spread(run(smoke, 0.41, 0.41), "bbox.AP") == (None, UNKNOWN)


@pytest.mark.parametrize("facts", [{"annotations_sha256": "other"}, {"resampled_images": 17}])
def test_other_images_do_not_pair(smoke: ResultFolder, facts: dict) -> None:
    assert difference(run(smoke, **facts)) is None


def test_no_file_no_interval(smoke: ResultFolder) -> None:
    smoke.score(*A, 0.4, 0.3)
    results = load_results(smoke.path)
    assert cell(results) is None
    assert difference(results, A, A) is None
    smoke.resample(*A, 0.4)
    smoke.score(*A, 0.4, 0.3, seed=1)
    assert cell(load_results(smoke.path)) is None


def test_resamples_without_such_objects_do_not_count(smoke: ResultFolder) -> None:
    results = run(smoke)
    frame = results.resamples[("htc", 0, 3)].frame
    frame.loc[frame.index[:400], "bbox.AP"] = np.nan
    assert cell(results).estimate.error < 2 * EVEN
    frame.loc[frame.index[:600], "bbox.AP"] = np.nan
    assert cell(results) is None


def test_a_file_that_is_none_is_named(smoke: ResultFolder) -> None:
    smoke.score(*A, 0.4, 0.3)
    path = smoke.resample(*A, 0.4)
    path.write_text("no Parquet")
    with pytest.raises(UserError, match=r"loops3.bootstrap.parquet: not a file of resamples"):
        load_results(smoke.path)
