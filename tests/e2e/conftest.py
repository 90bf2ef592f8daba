"""One complete run at scale `smoke`, shared by the tests that look at its results."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SNAKEMAKE = [str(Path(sys.executable).parent / "snakemake"), "--profile", "workflow/profiles/local"]


def snakemake(*arguments: str, timeout: int = 1800) -> subprocess.CompletedProcess[str]:
    """Run the workflow from the repository's root, as a user does."""
    return subprocess.run(
        [*SNAKEMAKE, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


class Run:
    """A run of the workflow into a results folder of its own."""

    def __init__(self, results: Path, *config: str) -> None:
        # a lock is held for each folder that Snakemake runs in: tests run one after the other
        scale = [] if any(one.startswith("scale=") for one in config) else ["scale=smoke"]
        self.config = ["--config", f"results={results}", *scale, *config]
        self.results = results

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return snakemake(*arguments, *self.config)


def outcome(done: subprocess.CompletedProcess[str]) -> str:
    """The end of what a failed run printed."""
    return (done.stdout + done.stderr)[-4000:]


def rules_planned(run: Run, targets: Sequence[str] = ()) -> dict[str, int]:
    """How many jobs of each rule `snakemake -n` would run."""
    done = run(*targets, "--dry-run", "--quiet", "rules")
    assert done.returncode == 0, outcome(done)
    lines = [line.split() for line in (done.stdout + done.stderr).splitlines()]
    return {line[0]: int(line[1]) for line in lines if len(line) == 2 and line[1].isdigit()}


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Everything at scale `smoke`; R3CNN_SMOKE names a results folder to run into instead of a new one."""
    folder = os.environ.get("R3CNN_SMOKE")
    run = Run(Path(folder) if folder else tmp_path_factory.mktemp("smoke"))
    done = run()
    assert done.returncode == 0, outcome(done)
    return run
