"""The metrics of an evaluation on resampled images, as `score` writes them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from r3cnn.core.errors import UserError
from r3cnn.core.layout import RunFolder, resamples_of
from r3cnn.core.records import FACTS_KEY, PAIRING, RESAMPLE

Key = tuple[str, int, int]


@dataclass(frozen=True)
class Resamples:
    """The metrics of one evaluation on resampled images.

    frame: one row per resample, one column per metric, 0 to 1. pairing: what must be equal in two of them for
    their rows to be of the same drawn images. images: how many there are to draw from.
    """

    frame: pd.DataFrame
    pairing: tuple[object, ...]
    images: int


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
        images = int(facts["resampled_images"])
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise UserError(
            f"{path}: not a file of resamples ({' '.join(str(error).split())}); delete it and "
            "score again"
        ) from error
    return Resamples(frame, tuple(facts.get(name) for name in PAIRING), images)
