"""Two rows of the table of `make bench` that concern Snakemake itself: planning, and the harness's own time.

python scripts/bench_workflow.py planning --out bench.json
python scripts/bench_workflow.py harness results/smoke --out bench.json
"""

import argparse
import csv
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from r3cnn.core.layout import CHECKOUT as REPO
from r3cnn.core.layout import RunFolder

SEEDS = 20
STARTED = re.compile(r"^\[(\w{3} \w{3} +\d+ [\d:]{8} \d{4})\]$", re.MULTILINE)
PROVIDED = re.compile(r"^Provided cores: (\d+)", re.MULTILINE)


def plan_seconds(scale: Path, folder: Path) -> float:
    """Wall seconds of `snakemake -n` for a scale, into an empty results folder."""
    command = [
        *(sys.executable, "-m", "snakemake", "-n", "--quiet", "all"),
        *("--config", f"scale={scale}", f"results={folder / 'results'}"),
    ]
    begin = time.perf_counter()
    done = subprocess.run(command, cwd=REPO, capture_output=True, encoding="utf-8", check=False)
    seconds = time.perf_counter() - begin
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise SystemExit(
            f"error: snakemake -n with scale={scale.name}: exit code {done.returncode}, expected a plan of "
            f"every training; mend what it says, then measure again: {said}"
        )
    return seconds


def planning(seeds: int = SEEDS, rounds: int = 3) -> dict:
    """Seconds for every training with many seeds over those with one, measured in turn."""
    import yaml

    smoke = yaml.safe_load(
        (REPO / "experiments" / "scales" / "smoke.yaml").read_text(encoding="utf-8")
    )
    times: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for n in (seeds, 1):
                scale = Path(folder, f"seeds{n}.yaml")
                scale.write_text(
                    yaml.safe_dump(smoke | {"seeds": list(range(n))}), encoding="utf-8"
                )
                seconds = round(plan_seconds(scale, Path(folder)), 3)
                times.setdefault(f"{n} seeds", {"seconds": []})["seconds"].append(seconds)
    many, one = (statistics.median(of["seconds"]) for of in times.values())
    return {
        "what": f"snakemake -n, every training x {seeds} seeds",
        "against": "x 1 seed",
        "aim": float(seeds),
        "ratio": many / one,
        "seconds_of_the_larger": many,
        "seconds_aim": 30,
        "times": times,
    }


def harness(results: Path, cores: int | None = None, log: Path | None = None) -> dict:
    """Wall time of a finished run over its jobs' own seconds divided by the cores, by its log without them."""
    log = log or newest_run(REPO / ".snakemake" / "log", results)
    if not log.is_file():
        raise SystemExit(f"error: {log}: no such file, expected a log of Snakemake: correct --log")
    cores = cores or cores_of(log)
    wall = wall_seconds(log)
    jobs = sum(benchmark_seconds(results)) + sum(training_seconds(results))
    if not jobs:
        raise SystemExit(f"error: {results}: no job has left its seconds; run `make smoke`")
    return {
        "what": f"wall time of {results.name} on {cores} cores",
        "against": "its jobs' own seconds / cores",
        "aim": 1.25,
        "ratio": wall / (jobs / cores),
        "wall_seconds": wall,
        "job_seconds": jobs,
    }


def benchmark_seconds(results: Path) -> list[float]:
    """Of every job that has a benchmark file, from the process's start to its end."""
    found = []
    for path in sorted(RunFolder(results).benchmarks.rglob("*.tsv")):
        with (
            open(path, newline="", encoding="utf-8") as file,
            explained(path, results, "seconds in a column s"),
        ):
            found += [float(row["s"]) for row in csv.DictReader(file, delimiter="\t")]
    return found


def training_seconds(results: Path) -> list[float]:
    """Of every training, over its attempts, from the process's start to its last step."""
    found = []
    for path in manifests(results):
        with explained(path, results, "process_seconds in each of its attempts"):
            attempts = json.loads(path.read_text(encoding="utf-8"))["attempts"]
            found.append(sum(float(one["process_seconds"]) for one in attempts))
    return found


def training_starts(results: Path) -> list[datetime]:
    """When every training began, in local time."""
    found = []
    for path in manifests(results):
        with explained(path, results, "a time at start"):
            start = datetime.fromisoformat(json.loads(path.read_text(encoding="utf-8"))["start"])
            found.append(start.astimezone().replace(tzinfo=None))
    return found


def manifests(results: Path) -> list[Path]:
    """The manifests of the trainings of a run."""
    return [t.manifest for t in RunFolder(results).trainings() if t.manifest.is_file()]


@contextmanager
def explained(path: Path, results: Path, expected: str) -> Iterator[None]:
    """Inside, a file that does not hold what is expected ends the program in one line."""
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        raise SystemExit(
            f"error: {path}: expected {expected}, found none ({type(error).__name__}: {error}): of an older "
            f"version, or damaged; remove {results} and run it again"
        ) from error


def newest_run(logs: Path, results: Path) -> Path:
    """Snakemake's newest log within whose time every training of these results began."""
    starts = training_starts(results)
    for path in sorted(logs.glob("*.snakemake.log"), reverse=True):
        stamps = stamps_of(path)
        if stamps and starts and min(stamps) <= min(starts) and max(starts) <= max(stamps):
            return path
    raise SystemExit(
        f"error: {logs}: no log of a whole run of {results}; remove {results}, run `make smoke`, "
        "or name a log with --log"
    )


def wall_seconds(log: Path) -> float:
    """From the first job's start to the last one's end."""
    stamps = stamps_of(log)
    if len(stamps) < 2:
        raise SystemExit(f"error: {log}: no times of jobs found; expected a log of Snakemake")
    return (max(stamps) - min(stamps)).total_seconds()


def cores_of(log: Path) -> int:
    """The cores that a run was given."""
    found = PROVIDED.search(log.read_text(encoding="utf-8", errors="replace"))
    if not found:
        raise SystemExit(
            f"error: {log}: expected a line `Provided cores: N`, found none; name them with --cores"
        )
    return int(found[1])


def stamps_of(log: Path) -> list[datetime]:
    """The times, local ones, at which jobs began and ended."""
    text = log.read_text(encoding="utf-8", errors="replace")
    return [datetime.strptime(stamp, "%a %b %d %H:%M:%S %Y") for stamp in STARTED.findall(text)]


def add(out: Path, name: str, row: dict) -> None:
    """Put the row into the file that `python -m r3cnn bench` keeps, which also says what measured it; tell it."""
    command = [sys.executable, "-m", "r3cnn.bench.table", str(out.resolve()), name]
    done = subprocess.run(
        command,
        cwd=REPO,
        input=json.dumps(row),
        stderr=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr.strip())
    print(f"{name}: {row['ratio']:.3f} ({row['what']} / {row['against']})")


def main(arguments: list[str] | None = None) -> None:
    """Measure one of the two rows and say what came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("row", choices=["planning", "harness"])
    parser.add_argument("results", type=Path, nargs="?", default=Path("results/smoke"))
    parser.add_argument("--out", type=Path, required=True, help="the file of `r3cnn bench`")
    parser.add_argument("--cores", type=int, help="of the run (harness); by its log without it")
    parser.add_argument("--log", type=Path, help="Snakemake's log of the run (harness)")
    asked = parser.parse_args(arguments)
    if asked.row == "planning":
        row = planning()
    else:
        row = harness(asked.results, asked.cores, asked.log)
    add(asked.out, asked.row, row)


if __name__ == "__main__":
    main()
