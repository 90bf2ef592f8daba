"""Result files of one folder -> one tidy frame, and the manifests of its trainings."""

import functools
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from r3cnn.core.errors import UserError
from r3cnn.core.files import read_json
from r3cnn.core.layout import RunFolder
from r3cnn.core.records import HISTOGRAM_COLUMNS, KINDS, Settings

from .packed import unpacked
from .resamples import Key, Resamples, load_resamples

COLUMNS = ["training", "loops", "seed", "metric", "value"]
_FRAME_TYPES = {
    "training": "object",
    "loops": "Int64",
    "seed": "Int64",
    "metric": "object",
    "value": "Float64",
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Results:
    """All that the reports read.

    frame: training, loops, seed, metric, value. Scores are bbox.AP .. segm.ARl in 0..1, missing
        if there is no such object; measurements are parameters.trainable, checkpoint.print_mb,
        memory.training_gib, and with loops speed.images_per_second and multiply_adds.total, without a seed.
    manifests: (training, seed) -> manifest.json.
    score_provenance: (training, seed, loops) -> `provenance` of the score file.
    measured: training -> {"device", "scale", "alone", "timed"} of its measurements; timed: not counted only.
    data: data.json, or None.
    resamples: (training, seed, loops) -> the metrics on resampled images, where a file is.
    catalogue: the user's own, which commands must name.
    settings: settings.json; {} for a folder that an earlier version made.
    """

    folder: Path
    frame: pd.DataFrame
    manifests: dict[tuple[str, int], dict[str, Any]]
    score_provenance: dict[tuple[str, int, int], dict[str, Any]]
    measured: dict[str, dict[str, Any]]
    data: dict[str, Any] | None
    resamples: dict[Key, Resamples]
    catalogue: str | None = None
    settings: Settings = field(default_factory=Settings)

    @property
    def name(self) -> str:
        """The folder's own name: the scale, and the data's name behind it if not the scale's."""
        return self.folder.resolve().name

    def evaluations(self) -> list[tuple[str, int]]:
        """The (training, loops) that have a score, in order."""
        return sorted({(training, loops) for training, _, loops in self.score_provenance})

    def values(self, training: str, loops: int, metric: str) -> list[float]:
        """A metric of an evaluation, one value per seed; what is of the training itself has no loops."""
        found = self._of_metric.get((training, metric), [])
        return [value for of_loops, _, value in found if of_loops in (None, loops)]

    def by_seed(self, training: str, loops: int, metric: str) -> dict[int, float]:
        """A metric of an evaluation, 0 to 1, by rising seed; without the seeds that have no such object."""
        found = self._of_metric.get((training, metric), [])
        pairs = [(seed, value) for of_loops, seed, value in found if of_loops == loops]
        return dict(sorted((seed, value) for seed, value in pairs if seed is not None))

    @functools.cached_property
    def _of_metric(self) -> dict[tuple[str, str], list[tuple[int | None, int | None, float]]]:
        """(loops, seed, value) of each training and metric: charts ask for thousands, a frame takes its time."""
        found: dict[tuple[str, str], list[tuple[int | None, int | None, float]]] = {}
        for row in self.frame.dropna(subset=["value"])[COLUMNS].itertuples(index=False):
            loops, seed = (None if pd.isna(one) else int(one) for one in (row.loops, row.seed))
            found.setdefault((row.training, row.metric), []).append((loops, seed, float(row.value)))
        return found


def load_results(folder: Path, catalogue: str | None = None) -> Results:
    """Read scores, measurements, manifests and data.json of results/<name>. Raises: UserError."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; --results takes results/<name> of a run")
    folder = unpacked(folder)
    run = RunFolder(folder)
    records: list[tuple[Any, ...]] = []
    score_provenance = {}
    for path, training, seed, loops in _score_files(folder):
        score = read_json(path)
        _check_identity(path, score, {"training": training, "seed": seed, "loops": loops})
        records += [(training, loops, seed, *pair) for pair in _score_values(path, score)]
        score_provenance[training, seed, loops] = score.get("provenance") or {}
    measured = {}
    for path in run.measurements():
        measurement = read_json(path)
        _check_identity(path, measurement, {"training": path.stem})
        records += [
            (path.stem, loops, None, metric, value)
            for metric, loops, value in _measurement_values(path, measurement)
        ]
        measured[path.stem] = {
            key: str(measurement.get(key) or "unknown") for key in ("device", "scale")
        } | {"alone": measurement.get("alone", True), "timed": "speed" in measurement}
    frame = pd.DataFrame(records, columns=COLUMNS).astype(_FRAME_TYPES)
    data = read_json(run.data) if run.data.exists() else None
    manifests = _manifests(folder)
    _refuse_other_data(folder, manifests, data)
    _log.info("%s: %d values, %d trainings", folder, len(frame), len(manifests))
    settings: Settings = read_json(run.settings) if run.settings.is_file() else {}
    return Results(
        folder,
        frame,
        manifests,
        score_provenance,
        measured,
        data,
        load_resamples(folder, score_provenance),
        catalogue or settings.get("catalogue"),
        settings,
    )


@functools.lru_cache(maxsize=64)  # several charts and claims ask for the same one
def histogram_of(results: Results, training: str) -> tuple[pd.DataFrame, list[int]] | None:
    """`load_histogram` of loaded results."""
    return load_histogram(results.folder, training)


def load_histogram(folder: Path, training: str) -> tuple[pd.DataFrame, list[int]] | None:
    """IoU counts of a training over all its seeds, and the seeds; None if it has not run.

    The frame has the columns of iou_histogram.csv and `seed`. Raises: UserError.
    """
    frames, seeds = [], []
    for path in (t.histogram for t in RunFolder(folder).trainings(training)):
        if not path.is_file():
            continue
        seed = _number(path, path.parent.name, "seed")
        try:
            frame = pd.read_csv(path)
        except (ValueError, OSError) as error:
            raise UserError(f"{path}: not a CSV: {' '.join(str(error).split())}") from error
        if list(frame.columns) != list(HISTOGRAM_COLUMNS):
            raise UserError(
                f"{path}: columns: found {list(frame.columns)}, expected {list(HISTOGRAM_COLUMNS)}"
            )
        frames.append(frame.assign(seed=seed))
        seeds.append(seed)
    return (pd.concat(frames, ignore_index=True), sorted(seeds)) if frames else None


def _score_files(folder: Path) -> Iterator[tuple[Path, str, int, int]]:
    for path in RunFolder(folder).scores():
        seed = _number(path, path.parent.name, "seed")
        yield path, path.parent.parent.name, seed, _number(path, path.stem, "loops")


def _number(path: Path, text: str, prefix: str) -> int:
    match = re.fullmatch(rf"{prefix}(\d+)", text)
    if not match:
        raise UserError(f"{path}: found {text!r} in the name, expected {prefix}<number>")
    return int(match[1])


def _check_identity(path: Path, content: dict[str, Any], expected: dict[str, Any]) -> None:
    for key, value in expected.items():
        if content.get(key) != value:
            raise UserError(
                f"{path}: {key}: found {content.get(key)!r}, expected {value!r} as its name says; "
                "delete it and make it again"
            )


def _score_values(path: Path, score: dict[str, Any]) -> Iterator[tuple[str, float | None]]:
    for task in KINDS:
        if not isinstance(score.get(task), dict):
            raise UserError(f"{path}: {task}: found {score.get(task)!r}, expected the metrics")
        for metric, value in score[task].items():
            if value is not None and not (_is_number(value) and 0 <= value <= 1):
                raise UserError(
                    f"{path}: {task}.{metric}: found {value!r}, expected 0 to 1, or null"
                )
            yield f"{task}.{metric}", value


def _measurement_values(
    path: Path, measurement: dict[str, Any]
) -> Iterator[tuple[str, int | None, float | None]]:
    for part in ("parameters", "checkpoint", "memory"):
        for key, value in _section(path, measurement, part).items():
            if value is None or _is_number(value):
                yield f"{part}.{key}", None, value
    for part in ("speed", "multiply_adds"):
        for loops, of_loops in _section(path, measurement, part).items():
            if not str(loops).isdigit():
                raise UserError(f"{path}: {part}.{loops}: expected a number of loops as the key")
            for key, value in (of_loops or {}).items():
                if value is None or _is_number(value):
                    yield f"{part}.{key}", int(loops), value


def _section(path: Path, measurement: dict[str, Any], part: str) -> dict[str, Any]:
    section = measurement.get(part) or {}
    if not isinstance(section, dict):
        raise UserError(f"{path}: {part}: found {section!r}, expected an object or null")
    return section


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _manifests(folder: Path) -> dict[tuple[str, int], dict[str, Any]]:
    manifests = {}
    for found in RunFolder(folder).trainings():
        path, training = found.manifest, found.id
        if not path.is_file():
            continue
        seed = _number(path, path.parent.name, "seed")
        manifest = read_json(path)
        _check_identity(path, manifest, {"training": training, "seed": seed})
        manifests[training, seed] = manifest
    return manifests


def _refuse_other_data(
    folder: Path, manifests: dict[tuple[str, int], dict[str, Any]], data: dict[str, Any] | None
) -> None:
    # Rows of different data in one table would be compared with each other.
    expected = {
        f"{split}_sha256": entry.get("sha256")
        for split, entry in ((data or {}).get("splits") or {}).items()
    }
    for (training, seed), manifest in manifests.items():
        trained_on = manifest.get("data") or {}
        for key in ("train_sha256", "val_sha256"):
            found = trained_on.get(key)
            if found and expected.setdefault(key, found) not in (None, found):
                raise UserError(
                    f"{RunFolder(folder).training(training, seed).manifest}: data.{key}: found "
                    f"{found[:12]}, but this folder's data is {expected[key][:12]}; keep the "
                    "results of other data in a folder of their own"
                )
