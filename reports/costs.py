"""What a run costs: seconds, CPU seconds and peak memory of each rule; and speed measured elsewhere."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports.errors import ReportError
from reports.files import read_json
from reports.load import Results

MEASURED = Path(__file__).parent / "measured" / "bench-gpu.json"
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
class Speed:
    """A model at full size: images a second, seconds a step, GiB; and images a second over HTC's."""

    model: str
    images_per_second: float
    step_seconds: float
    training_gib: float
    over_htc: float | None


@dataclass(frozen=True)
class Speeds:
    """What was measured on one device; provenance is a line."""

    device: str
    setting: str
    provenance: str
    rows: tuple[Speed, ...]


def costs_of(results: Results) -> tuple[RuleCost, ...]:
    """Each rule of the run, the dearest first. Raises: ReportError.

    From Snakemake's benchmark files; what a training cost, over its attempts, stands in its manifest.
    """
    jobs: dict[str, list[dict[str, float | None]]] = {}
    folder = results.folder / "benchmarks"
    for path in sorted(folder.rglob("*.tsv")):
        rule = path.relative_to(folder).parts[0].removesuffix(".tsv")
        jobs.setdefault(rule, []).extend(_jobs_of(path))
    trained = [_of_attempts(manifest) for manifest in results.manifests.values()]
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
            raise ReportError(
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


def measured_speeds(path: Path = MEASURED) -> Speeds | None:
    """The file of `python -m r3cnn bench gpu` that lies beside; None without it. Raises: ReportError."""
    if not path.is_file():
        return None
    content = read_json(path)
    try:
        htc = content["models"].get("htc", {}).get("images_per_second")
        rows = tuple(_speed(model, of, htc) for model, of in content["models"].items())
        origin = content["provenance"]
        line = f"commit {origin['git_commit'] or 'unknown'}, torch {origin['versions']['torch']}"
        setting = f"images of {content['size']}, networks of scale {content['scale']}"
        return Speeds(content["device"], setting, f"{line}, {content['end']}", rows)
    except (KeyError, TypeError, AttributeError) as error:
        raise ReportError(
            f"{path}: {error}: missing, expected a file of `r3cnn bench gpu`; make it again"
        ) from error


def _speed(model: str, of: dict[str, Any], htc: float | None) -> Speed:
    rate = of["images_per_second"]
    return Speed(model, rate, of["step_seconds"], of["training_gib"], rate / htc if htc else None)
