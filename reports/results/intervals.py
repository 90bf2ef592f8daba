"""How sure an AP and a difference of two APs are: resampled images, and the spread of seeds."""

import json
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from r3cnn.core.errors import UserError
from r3cnn.core.layout import RunFolder, resamples_of
from r3cnn.core.records import FACTS_KEY, PAIRING, RESAMPLE

# Points of AP: the standard deviation of seeds of Mask R-CNN on COCO, the largest of those known.
SEED_SPREAD = 0.14
LEVEL = (2.5, 97.5)
POINTS = 100  # an AP of 1 in points
Key = tuple[str, int, int]


@dataclass(frozen=True)
class Resamples:
    """The metrics of one evaluation on resampled images.

    frame: one row a resample, one column a metric, 0 to 1. pairing: what must be equal in two of
    them for their rows to be of the same drawn images.
    """

    frame: pd.DataFrame
    pairing: tuple[object, ...]


@dataclass(frozen=True)
class Interval:
    """A value and its 95 % interval in points of AP; `single_seed`: widened by the seeds' spread."""

    value: float
    low: float
    high: float
    single_seed: bool = False


def load_resamples(folder: Path, keys: Iterable[Key]) -> dict[Key, Resamples]:
    """The resamples of each (training, seed, loops) that has some. Raises: UserError."""
    found = {}
    for training, seed, loops in keys:
        path = resamples_of(RunFolder(folder).score(training, seed, loops))
        if path.is_file():
            found[training, seed, loops] = _read(path)
    return found


def _read(path: Path) -> Resamples:
    try:
        table = pq.read_table(path)
        facts = json.loads((table.schema.metadata or {})[FACTS_KEY])
        frame = table.to_pandas().set_index(RESAMPLE)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise UserError(
            f"{path}: not a file of resamples ({' '.join(str(error).split())}); delete it and "
            "score again"
        ) from error
    return Resamples(frame, tuple(facts.get(name) for name in PAIRING))


def mean_resamples(
    resamples: Mapping[Key, Resamples], training: str, loops: int, metric: str
) -> tuple[np.ndarray, tuple[object, ...]] | None:
    """A metric of each resample, the mean over seeds, and its pairing; None without a file."""
    chosen = [r for key, r in resamples.items() if (key[0], key[2]) == (training, loops)]
    chosen = [r for r in chosen if metric in r.frame]
    if not chosen or len({r.pairing for r in chosen}) > 1:
        return None
    values = np.mean([r.frame[metric].to_numpy(dtype=float) for r in chosen], axis=0)
    return values, chosen[0].pairing


def cell_interval(
    resamples: Mapping[Key, Resamples], training: str, loops: int, metric: str
) -> tuple[float, float] | None:
    """The 95 % interval over images of an evaluation's metric, in points."""
    found = mean_resamples(resamples, training, loops, metric)
    return None if found is None else _quantiles(found[0] * POINTS)


def difference_interval(
    resamples: Mapping[Key, Resamples],
    left: tuple[str, int],
    right: tuple[str, int],
    metric: str,
    left_values: list[float],
    right_values: list[float],
) -> Interval | None:
    """Left minus right (the values of the seeds, 0 to 1), paired over images; None if they do not pair.

    The images' interval is moved out at both ends by the seeds' standard deviation of the difference.
    """
    first = mean_resamples(resamples, *left, metric)
    second = mean_resamples(resamples, *right, metric)
    if first is None or second is None or first[1] != second[1]:
        return None
    bounds = _quantiles((first[0] - second[0]) * POINTS)
    if bounds is None or not left_values or not right_values:
        return None
    value = (statistics.fmean(left_values) - statistics.fmean(right_values)) * POINTS
    width = float(np.hypot(_spread_of_mean(left_values), _spread_of_mean(right_values)))
    single = min(len(left_values), len(right_values)) == 1
    return Interval(value, bounds[0] - width, bounds[1] + width, single)


def _spread_of_mean(values: list[float]) -> float:
    """Standard deviation of the mean over seeds, in points; of one seed it is taken from elsewhere."""
    if len(values) == 1:
        return SEED_SPREAD
    return statistics.stdev(values) * POINTS / len(values) ** 0.5


def _quantiles(values: np.ndarray) -> tuple[float, float] | None:
    """The interval of the resamples that have a value; None where most have none."""
    there = values[~np.isnan(values)]
    if 2 * len(there) < len(values) or not len(there):
        return None
    low, high = np.percentile(there, LEVEL)
    return float(low), float(high)
