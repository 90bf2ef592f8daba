"""Intervals from resampled metrics, paired over images, and the spread of seeds."""

import numpy as np
import pytest

from r3cnn.core.errors import UserError
from reports.results.intervals import cell_interval, difference_interval
from reports.results.load import load_results
from tests.reports.folders import ResultFolder

A, B = ("htc", 3), ("mask_1x", 1)


def folder_of(folder: ResultFolder, *seeds: int, spread: float = 0.02, **facts: object):
    for seed in seeds or (0,):
        folder.score(*A, 0.42, 0.3, seed=seed)
        folder.score(*B, 0.40, 0.3, seed=seed)
        folder.resample(*A, 0.42, seed=seed)
        folder.resample(*B, 0.40, seed=seed, spread=spread, **facts)
    return load_results(folder.path).resamples


def test_an_interval_holds_95_percent_of_the_resamples(smoke: ResultFolder) -> None:
    low, high = cell_interval(folder_of(smoke), *A, "bbox.AP")
    assert (low, high) == pytest.approx((42 - 0.95, 42 + 0.95))


def test_a_difference_is_paired_and_widened_by_the_spread_of_one_seed(smoke: ResultFolder) -> None:
    # Resample n is n-th in both: the differences reach from +1 to -1 about 2, not to +-3.
    found = difference_interval(folder_of(smoke), A, B, "bbox.AP", [0.42], [0.40])
    seeds = 0.14 * 2**0.5
    assert found.value == pytest.approx(2)
    assert found.low == pytest.approx(2 - 0.95 - seeds)
    assert found.high == pytest.approx(2 + 0.95 + seeds)
    assert found.single_seed


def test_several_seeds_bring_their_own_spread(smoke: ResultFolder) -> None:
    resamples = folder_of(smoke, 0, 1, spread=0.01)
    found = difference_interval(resamples, A, B, "bbox.AP", [0.42, 0.44], [0.40, 0.40])
    spread = np.std([42, 44], ddof=1) / 2**0.5
    assert not found.single_seed
    assert found.value == pytest.approx(3)
    assert (found.low, found.high) == pytest.approx((2 - spread, 2 + spread))


@pytest.mark.parametrize("facts", [{"annotations_sha256": "other"}, {"resampled_images": 17}])
def test_other_images_do_not_pair(smoke: ResultFolder, facts: dict) -> None:
    resamples = folder_of(smoke, **facts)
    assert difference_interval(resamples, A, B, "bbox.AP", [0.42], [0.40]) is None


def test_no_file_no_interval(smoke: ResultFolder) -> None:
    smoke.score(*A, 0.4, 0.3)
    resamples = load_results(smoke.path).resamples
    assert cell_interval(resamples, *A, "bbox.AP") is None
    assert difference_interval(resamples, A, A, "bbox.AP", [0.4], [0.4]) is None


def test_resamples_without_such_objects_do_not_count(smoke: ResultFolder) -> None:
    resamples = folder_of(smoke)
    [frame] = [found.frame for key, found in resamples.items() if key[0] == "htc"]
    frame.loc[frame.index[:400], "bbox.AP"] = np.nan
    assert cell_interval(resamples, *A, "bbox.AP")[0] > 41.7
    frame.loc[frame.index[:600], "bbox.AP"] = np.nan
    assert cell_interval(resamples, *A, "bbox.AP") is None


def test_a_file_that_is_none_is_named(smoke: ResultFolder) -> None:
    smoke.score(*A, 0.4, 0.3)
    path = smoke.resample(*A, 0.4)
    path.write_text("no Parquet")
    with pytest.raises(UserError, match=r"loops3.bootstrap.parquet: not a file of resamples"):
        load_results(smoke.path)
