"""Snakemake killed -9 in the middle of three trainings: the one command goes on, and the report is the same."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.faults.project import CONFIG, MINUTES, ROOT, STEPS_AN_EPOCH, Project
from tests.faults.test_killed import until

pytestmark = pytest.mark.slow
EPOCHS = 12  # long enough to be met in the middle
STEPS = EPOCHS * STEPS_AN_EPOCH


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_killed_in_the_middle_of_three_trainings(tmp_path):
    project = Project(tmp_path / "disturbed", EPOCHS)
    process = project.snakemake()
    try:
        until(lambda: any(10 <= steps < 50 for steps in project.steps().values()), 60 * MINUTES)
        process.kill()
        pids = project.trainers()
        process.wait()
    finally:
        process.kill()
    assert pids
    killed = time.monotonic()
    until(lambda: not any(map(alive, pids)), 30)  # they end with their parent, within 30 seconds
    print(f"trainers ended {time.monotonic() - killed:.1f} s after Snakemake was killed")
    assert any(steps < STEPS for steps in project.steps().values()), "they ended by themselves"

    refused = project.snakemake()
    assert refused.wait(120) != 0  # the lock that the killed one left
    assert "locked" in (project.root / "log").read_text()
    # what `make continue ARGS=...` runs, without its setting up of an environment
    project.finish(
        project.start("snakemake", "--profile", "workflow/profiles/local", *CONFIG, "--unlock")
    )
    project.finish(project.snakemake())
    attempts = [
        len(json.loads(path.read_text())["attempts"])
        for path in project.results.glob("trainings/*/seed0/manifest.json")
    ]
    assert len(attempts) == 3
    assert max(attempts) == 2

    undisturbed = Project(tmp_path / "undisturbed", EPOCHS)
    undisturbed.finish(undisturbed.snakemake())
    expected = undisturbed.outcome()
    assert sum(name.startswith("report/") for name in expected) >= 3
    assert sum(name.startswith("scores/") for name in expected) == 3
    assert project.outcome() == expected


def test_the_command_of_the_makefile_unlocks_and_goes_on():
    """The two commands that the test above runs, in that order."""
    done = subprocess.run(
        ["make", "-n", "-o", ".venv/.ready", "continue", "ARGS=--config scale=mini"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    unlock, go_on = [line for line in done.stdout.splitlines() if " snakemake " in line]
    assert unlock.endswith("--config scale=mini --unlock")
    assert go_on.endswith("--config scale=mini")
