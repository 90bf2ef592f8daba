"""A run for TensorBoard: what each training logged by step, and its APs by epoch."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from r3cnn.core.errors import UserError
from r3cnn.core.layout import RunFolder, configs_of

from .errors import SHOWN
from .intervals import POINTS
from .load import Results
from .logs import NOT_CURVES, json_lines

EVENTS = "events.out.tfevents*"
Scalar = tuple[str, float, int, float]  # tag, value, step or epoch, seconds since 1970


def write_events(
    results: Results, out: Path, writer: Callable[[str], Any] | None = None
) -> list[Path]:
    """Write out/<training>/seed<k>/events..., instead of earlier ones; returns their folders.

    Of a training that still runs, the log so far. writer: as tensorboard.summary.Writer. Raises: UserError where
    TensorBoard is not installed or nothing has been logged.
    """
    writer = writer or _writer()
    folders = []
    for training, seed, log, validation in _logs(RunFolder(results.folder)):
        scalars = [*_scalars(results, training, seed, log, validation)]
        if scalars:
            folders.append(_write(scalars, out / training / f"seed{seed}", writer))
    if not folders:
        raise UserError(f"{results.folder}: no training has logged a step; run one first")
    return folders


def _writer() -> Callable[[str], Any]:
    try:
        from tensorboard.summary import Writer
    except ImportError as error:
        raise UserError(
            f"tensorboard: {error}; it writes the files that TensorBoard reads: run `pip install tensorboard`"
        ) from error
    return Writer


def _logs(run: RunFolder) -> Iterator[tuple[str, int, Path, Path]]:
    """(training, seed, log, validation) of each that has ended, and of those that still run."""
    found = {(one.id, one.seed): (one.log, one.validation) for one in run.trainings()}
    ended = {key for key, (log, _) in found.items() if log.is_file()}
    for state in run.states():
        key = (state.parent.name, state.name.removeprefix("seed"))
        configs = sorted(configs_of(state), key=lambda one: one.log.stat().st_mtime)
        if configs and key not in ended:
            found[key] = (configs[-1].log, configs[-1].validation)
    for (training, seed), paths in sorted(found.items()):
        if seed.isdigit():
            yield training, int(seed), *paths


def _scalars(
    results: Results, training: str, seed: int, log: Path, validation: Path
) -> Iterator[Scalar]:
    steps = json_lines(log, ("epoch", "iteration"))
    ends: dict[int, float] = {}
    epoch, time = 0, _start(results, training, seed)
    if steps is not None:
        steps = steps.sort_values("iteration")
        times = time + steps.get("seconds", pd.Series(0.0, steps.index)).cumsum()
        ends = dict(zip(steps["epoch"].astype(int), times.astype(float), strict=True))
        epoch, time = list(ends.items())[-1]
        for name in (name for name in steps.columns if name not in NOT_CURVES):
            values = pd.to_numeric(steps[name], errors="coerce")
            for step, value, at in zip(steps["iteration"], values, times, strict=True):
                if pd.notna(value):
                    yield f"train/{name}", float(value), int(step), float(at)
    validated = json_lines(validation, ("epoch", "loops", "bbox_AP", "segm_AP"))
    for line in () if validated is None else validated.to_dict("records"):
        for key, kind in SHOWN.items():
            if pd.notna(value := line[f"{key}_AP"]):
                at = ends.get(int(line["epoch"]), time)
                yield (
                    _ap("validation", kind, line["loops"]),
                    value * POINTS,
                    int(line["epoch"]),
                    at,
                )
    for of_training, loops in results.evaluations():
        for key, kind in SHOWN.items() if of_training == training else ():
            value = results.by_seed(training, loops, f"{key}.AP").get(seed)
            if value is not None:
                yield _ap("score", kind, loops), value * POINTS, epoch, time


def _ap(of: str, kind: str, loops: int) -> str:
    """A tag: TensorBoard draws those of a name before the slash in one group."""
    return f"{of}/{kind}_AP_{loops}_loops"


def _start(results: Results, training: str, seed: int) -> float:
    """When the training began, in seconds since 1970; 0 where that is not known."""
    try:
        start = (results.manifests.get((training, seed)) or {}).get("start") or ""
        return datetime.fromisoformat(start).timestamp()
    except ValueError:
        return 0.0


def _write(scalars: list[Scalar], folder: Path, writer: Callable[[str], Any]) -> Path:
    """Write all next to the folder, then replace what an earlier call wrote."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as new:
        events = writer(new)
        for tag, value, step, at in scalars:
            events.add_scalar(tag, value, step, wall_time=at)
        events.close()
        for old in folder.glob(EVENTS):
            old.unlink()
        for path in sorted(Path(new).iterdir()):
            shutil.move(path, folder / path.name)
    return folder
