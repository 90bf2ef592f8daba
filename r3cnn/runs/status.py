"""Which trainings of a scale are done, running, waiting or failed; from files and Slurm's queue alone."""

import json
import math
import re
import statistics
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tabulate import tabulate

from ..catalogue.scales import Scale
from ..catalogue.trainings import Catalogue, Training
from ..core.errors import UserError
from ..core.files import read_json
from ..core.layout import RunFolder, StateFolder, configs_of
from ..core.progress import RESUME, duration
from ..core.provenance import made_by
from ..core.schema import shown
from ..core.source_hash import source_hash
from ..core.steps import images_a_step, steps_of_epoch, trained_images
from .jobs import Job, live_trainings
from .refusals import refusals

DONE, RUNNING, WAITING, STOPPED, FAILED = "done", "running", "waiting", "stopped", "failed"
SILENT_SECONDS = 90  # so old may the owner's last sign of life be
LINES = 3
TAIL_BYTES = 2**16
HINTS = (RESUME, "run the same command to go on")  # the latter in logs of version 0.1
WAITS = "waiting for a GPU"  # the line of workflow/scripts/on_gpu.sh
SLURM_LOGS = Path(".snakemake/slurm_logs/rule_train")
CAUSES = re.compile(r"slurmstepd: error|srun: error|oom|DUE TO|CANCELLED|: error:", re.IGNORECASE)


# What Slurm, the kernel and PyTorch say of memory that ran out, and its name.
GPU_MEMORY = re.compile(r"OutOfMemoryError|CUDA out of memory")
MEMORY = re.compile(
    r"oom[-_ ]?kill|out[ _]of[ _]memory|signal: Killed|ended with 137", re.IGNORECASE
)


@dataclass(frozen=True)
class Progress:
    """How far a training is: steps from its log, the length of an epoch from the data."""

    epoch: int
    epochs: int
    step: int
    loss: float
    seconds: float  # of the whole training
    seconds_left: float

    def __str__(self) -> str:
        left = duration(self.seconds_left)
        return (
            f"epoch {self.epoch}/{self.epochs}, step {self.step}, loss {self.loss:.3f}, {left} left"
        )


@dataclass(frozen=True)
class Status:
    """One training with one seed; `causes` are (file, its telling last lines)."""

    training: str
    seed: int
    state: str
    what: str
    causes: list[tuple[Path, list[str]]] = field(default_factory=list)
    seconds: float | None = None  # of the whole training, once it has a step
    seconds_left: float | None = None


def status(catalogue: Catalogue, scale: Scale, results: Path) -> list[Status]:
    """The state of every training and seed of a results folder."""
    jobs = live_trainings(Path.cwd())
    refused, single = refusals(Path.cwd())
    sources = source_hash("training")
    return [
        _one(training, seed, scale, results, jobs.get((id_, seed)), sources)
        or _left(training, seed, scale, results, single.get((id_, seed), refused))
        for id_, training in catalogue.trainings.items()
        for seed in _seeds(id_, scale, results)
    ]


def _seeds(training: str, scale: Scale, results: Path) -> list[int]:
    """Those of the training's folders, which --config seeds= may have chosen; the scale's before there are any."""
    found = {int(one.seed) for one in RunFolder(results).trainings(training) if one.seed.isdigit()}
    return sorted(found or scale.seeds)


def _one(
    training: Training, seed: int, scale: Scale, results: Path, job: Job | None, sources: str
) -> Status | None:
    """The state of a training that is done or at work; None where it is neither."""
    id_, run = training.id, RunFolder(results)
    manifest, state_folder = run.training(id_, seed).manifest, run.state(id_, seed)
    if manifest.is_file() and job is None:
        facts = read_json(manifest) if manifest.stat().st_size else {}
        return Status(id_, seed, DONE, _done(facts, sources), seconds=facts.get("seconds"))
    progress = progress_of(training, scale, results, state_folder)
    so_far, times = _so_far(progress)
    if job is not None:
        if job.runs:
            what = f"{so_far} (job {job.number} on {job.nodes})"
            return Status(id_, seed, RUNNING, what, **times)
        what = f"job {job.number} is {job.state.lower()}: {job.why}"
        return Status(id_, seed, WAITING, f"{what}; {so_far}" if progress else what, **times)
    return Status(id_, seed, RUNNING, so_far, **times) if _held(state_folder) else None


def _so_far(progress: Progress | None) -> tuple[str, dict[str, float]]:
    """How far it is in words, and its fields of Status."""
    if progress is None:
        return "no step yet", {}
    return str(progress), {"seconds": progress.seconds, "seconds_left": progress.seconds_left}


def _left(training: Training, seed: int, scale: Scale, results: Path, refused: str) -> Status:
    """The state of a training that nothing works at; refused: Slurm's words where it took no job."""
    id_, run = training.id, RunFolder(results)
    state_folder = run.state(id_, seed)
    progress = progress_of(training, scale, results, state_folder)
    so_far, times = _so_far(progress)
    if refused:
        return Status(id_, seed, FAILED, f"refused by Slurm: {refused}; {so_far}", **times)
    log = run.job_log("train", id_, seed)
    if not log.is_file() and not state_folder.is_dir():
        return Status(id_, seed, WAITING, "not begun")
    causes = list(_causes(log, SLURM_LOGS / f"{id_}_{seed}"))
    of_slurm = any(path != log for path, _ in causes)
    if log.is_file() and not of_slurm and (starts := _starts(log)):
        return Status(id_, seed, WAITING, f"{starts}; {so_far}", **times)
    last = causes[0][1][-1] if causes and causes[0][0] == log else ""
    if last.endswith(HINTS):
        return Status(id_, seed, STOPPED, f"resumes with the next run; {so_far}", **times)
    return Status(id_, seed, FAILED, f"{_memory(log)}{so_far}", causes, **times)


def _done(facts: dict, sources: str) -> str:
    if not facts:
        return ""
    attempts = len(facts.get("attempts", ()))
    what = f"{facts.get('iterations', '?')} steps in {duration(facts.get('seconds', 0))}"
    if attempts > 1:
        what += f", {attempts} attempts"
    if sources not in made_by(facts):
        what += "; by OTHER SOURCES than the present ones"
    return what


def _starts(log: Path) -> str:
    """What a training that has said nothing else waits for; '' where it has, or has been silent for long."""
    if time.time() - log.stat().st_mtime > SILENT_SECONDS:
        return ""
    lines = _tail(log)
    if lines:
        return "waits for a GPU" if lines[-1].startswith(WAITS) else ""
    return "starts"


def _held(state: Path) -> bool:
    """Whether a process trains here: the lease of the highest number is not given back and was just written."""
    names = (path.stem.partition("-")[2] for path in state.glob("lease-*.json"))
    numbers = [int(name) for name in names if name.isdigit()]
    if not numbers:
        return False
    lease = state / f"lease-{max(numbers)}.json"
    try:
        if time.time() - lease.stat().st_mtime > SILENT_SECONDS:
            return False
        return not json.loads(lease.read_text(encoding="utf-8")).get("released")
    except (OSError, ValueError):
        return True  # it is just being written, or taken over


def progress_of(training: Training, scale: Scale, results: Path, state: Path) -> Progress | None:
    """How far the newest log of a state folder is; None without one."""
    logs = sorted((s.log for s in configs_of(state)), key=lambda path: path.stat().st_mtime)
    lines = [json.loads(line) for line in _tail(logs[-1]) if line.endswith("}")] if logs else []
    if not lines:
        return None
    epochs = scale.schedule(training.schedule)["epochs"]
    last = lines[-1]
    steps = epochs * _steps_of_epoch(scale, results, last)
    pace = statistics.median(line["seconds"] for line in lines[-50:])
    left = max(0, steps - last["iteration"]) * pace
    left += _validation_left(StateFolder(logs[-1].parent).validation, scale, epochs)
    whole = max(steps, last["iteration"]) * pace
    return Progress(last["epoch"], epochs, last["iteration"], last["loss"], whole, left)


def _validation_left(path: Path, scale: Scale, epochs: int) -> float:
    """Seconds that the validations to come take, by the last one; 0 before there was one."""
    lines = [json.loads(line) for line in _tail(path)] if path.is_file() else []
    if not lines or not scale.validate:
        return 0.0
    to_come = range(lines[-1]["epoch"] + 1, epochs + 1)
    count = sum(epoch % scale.validate["every"] == 0 or epoch == epochs for epoch in to_come)
    return count * lines[-1]["seconds"]


def _steps_of_epoch(scale: Scale, results: Path, last: dict) -> int:
    """Optimiser steps of an epoch, by the number of images; a few images that are left out do not matter."""
    try:
        text = RunFolder(results).data.read_text(encoding="utf-8")
        train = json.loads(text)["splits"]["train"]
    except (OSError, ValueError, KeyError):
        return math.ceil(last["iteration"] / last["epoch"])
    images = scale.images_of_epoch(trained_images(train))
    return steps_of_epoch(images, images_a_step(scale.batch, scale.per_pass, 1))


def _causes(log: Path, slurm_logs: Path) -> Iterator[tuple[Path, list[str]]]:
    """The last lines of the rule's log, and what Slurm says in that of the newest job."""
    if log.is_file() and (lines := _tail(log)):
        yield log, lines[-LINES:]
    jobs = sorted(slurm_logs.glob("*.log"), key=lambda path: path.stat().st_mtime)
    if jobs and (telling := [line for line in _tail(jobs[-1]) if CAUSES.search(line)]):
        yield jobs[-1], telling[-LINES:]


def _memory(log: Path) -> str:
    """Words where memory ended a training, by its log; else none."""
    text = "\n".join(_tail(log)) if log.is_file() else ""
    if GPU_MEMORY.search(text):
        return "the GPU's memory ran out (lower `per_pass` in the scale); "
    if MEMORY.search(text):
        return "killed for memory (raise `memory` in slurm/config.yaml, or lower `workers`); "
    return ""


def _tail(path: Path) -> list[str]:
    """The last whole lines of a file, without empty ones."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - TAIL_BYTES))
        text = file.read().decode("utf-8", "replace")
    lines = text.splitlines()[1 if size > TAIL_BYTES else 0 :]
    return [line for line in lines if line.strip()]


def render(found: list[Status], results: Path) -> str:
    """The states as text: a summary, a line for each training, and the causes of failures."""
    if not results.is_dir():
        raise UserError(f"{results}: no such folder; nothing has run at this scale yet")
    states = (DONE, RUNNING, WAITING, STOPPED, FAILED)
    counts = {state: sum(one.state == state for one in found) for state in states}
    summary = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    cells = [(o.training, f"seed {o.seed}", o.state, o.what) for o in found]
    lines = [
        f"{shown(results)}: {summary}",
        textwrap.indent(tabulate(cells, tablefmt="plain"), "  "),
    ]
    for one in found:
        for path, telling in one.causes:
            lines += ["", f"{one.training}, seed {one.seed}: {shown(path)}"]
            lines += [f"  | {line}" for line in telling]
    return "\n".join(lines)
