"""Cost of a run: seconds, CPU seconds and peak memory of each rule; and speed measured on other machines."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from r3cnn.core.errors import UserError
from r3cnn.core.files import read_json
from r3cnn.core.layout import RunFolder, project_file

from ..results.load import Results
from ..tables.spec import load_spec

MEASURED = project_file("measured/bench-gpu.json")
# the columns of table 1 that are looked at
PRINTED = {"speed": "speed_img_s", "memory": "memory_gb"}
COLUMNS = {"s", "cpu_time", "max_rss"}
TRAIN = "train"


@dataclass(frozen=True)
class RuleCost:
    """One rule over all its jobs; None: not recorded. memory: MB, of the job that took most."""

    rule: str
    jobs: int
    seconds: float
    cpu_seconds: float | None
    memory: float | None


@dataclass(frozen=True)
class Ratio:
    """Ours over HTC's of the same run, and the paper's; None: not measured, not printed."""

    ours: float | None
    paper: float | None


@dataclass(frozen=True)
class Speed:
    """A model at full size: images a second, seconds a step, GiB; the paper's GB."""

    model: str
    images_per_second: float
    speed: Ratio
    step_seconds: float
    step_over_htc: float | None
    training_gib: float | None
    paper_gb: float | None
    memory: Ratio


@dataclass(frozen=True)
class Way:
    """A way of predicting with the advanced model: seconds over the direct form's, and how far it is off."""

    name: str
    over_direct: float
    difference: float


@dataclass(frozen=True)
class Speeds:
    """What was measured on one device; provenance: a line for each run; memory_of: what takes the memory."""

    device: str
    setting: str
    memory_of: str
    provenance: tuple[str, ...]
    rows: tuple[Speed, ...]
    ways: tuple[Way, ...]


def costs_of(results: Results) -> tuple[RuleCost, ...]:
    """Each rule of the run, the dearest first. Raises: UserError.

    From Snakemake's benchmark files; the cost of a training, over its attempts, is in its manifest. What
    was not trained here, but reused or given, has no attempts and is no job.
    """
    jobs: dict[str, list[dict[str, float | None]]] = {}
    folder = RunFolder(results.folder).benchmarks
    for path in sorted(folder.rglob("*.tsv")):
        rule = path.relative_to(folder).parts[0].removesuffix(".tsv")
        jobs.setdefault(rule, []).extend(_jobs_of(path))
    trained = [
        _of_attempts(manifest)
        for manifest in results.manifests.values()
        if manifest.get("attempts") != []
    ]
    if any(job["s"] for job in trained):
        jobs[TRAIN] = trained
    found = [_cost(rule, of_rule) for rule, of_rule in jobs.items()]
    return tuple(sorted(found, key=lambda cost: -cost.seconds))


def _of_attempts(manifest: dict[str, Any]) -> dict[str, float | None]:
    attempts = manifest.get("attempts") or []
    whole = [one["process_seconds"] for one in attempts if "process_seconds" in one]
    busy = [one["cpu_seconds"] for one in attempts if "cpu_seconds" in one]
    peak = [one["peak_mb"] for one in attempts if "peak_mb" in one]
    return {
        "s": sum(whole) if attempts and len(whole) == len(attempts) else manifest.get("seconds"),
        "cpu_time": sum(busy) if busy else None,
        "max_rss": max(peak, default=None),
    }


def _jobs_of(path: Path) -> Iterator[dict[str, float | None]]:
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file, delimiter="\t")
        missing = COLUMNS - set(reader.fieldnames or ())
        if missing:
            raise UserError(
                f"{path}: no column {min(missing)}; expected a benchmark file of Snakemake: remove it"
            )
        for row in reader:
            yield {name: _number(row[name]) for name in COLUMNS}


def _number(text: str) -> float | None:
    """None where a job was too quick for Snakemake to look at it."""
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def _cost(rule: str, jobs: list[dict[str, float | None]]) -> RuleCost:
    known = {name: [job[name] for job in jobs if job[name] is not None] for name in COLUMNS}
    return RuleCost(
        rule,
        len(jobs),
        sum(known["s"]),
        sum(known["cpu_time"]) if known["cpu_time"] else None,
        max(known["max_rss"], default=None),
    )


def measured_speeds(path: Path | None = MEASURED) -> Speeds | None:
    """The file of `python -m r3cnn bench gpu` in the same folder; None if there is none. Raises: UserError."""
    if path is None or not path.is_file():
        return None
    content = read_json(path)
    paper = _paper()
    try:
        faster = content.get("advanced", {})
        return Speeds(
            content["device"],
            f"images of {content['size']}, {content['classes']} classes, networks of scale "
            f"{content['scale']}",
            content["memory_of"],
            tuple(dict.fromkeys(_origin(of["measured"]) for of in content["models"].values())),
            tuple(_speed(model, of, paper) for model, of in content["models"].items()),
            tuple(
                Way(name, ratio, faster["difference"][name])
                for name, ratio in faster.get("over_direct", {}).items()
            ),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}: {error}: missing, expected a file of `r3cnn bench gpu`; make it again"
        ) from error


def _origin(of: dict[str, Any]) -> str:
    commit, torch = of["git_commit"] or "unknown", of["versions"]["torch"]
    setting = f"{of['steps']} steps, {of['images']} images"
    return f"commit {commit}, torch {torch}, {setting}, {of['end']}"


def _paper() -> dict[str, dict[str, float]]:
    """Table 1's speed and memory of the trainings that are in it."""
    return {
        row.training: {name: float(row.published[column]) for name, column in PRINTED.items()}
        for row in load_spec().tables["table1"].rows
    }


def _speed(model: str, of: dict[str, Any], paper: dict[str, dict[str, float]]) -> Speed:
    over, printed = of["over_htc"], paper.get(model, {})
    theirs = {name: value / paper["htc"][name] for name, value in printed.items()}
    return Speed(
        model,
        of["images_per_second"],
        Ratio(over["speed"], theirs.get("speed")),
        of["step_seconds"],
        over["step"],
        of["training_gib"],
        printed.get("memory"),
        Ratio(over["memory"], theirs.get("memory")),
    )
