"""Snakemake killed -9 in the middle of three trainings: the one command goes on, and the report is the same."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.faults.runs import SCALE, digest
from tests.faults.test_killed import until

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
PARTS = ("Snakefile", "Makefile", "environment.yml", "workflow", "experiments", "r3cnn", "reports")
CONFIG = ("--config", "catalogue=own.yaml", "scale=scale.yaml", "--cores", "2")
CATALOGUE = """\
extends: nothing
tables: tables.yaml
trainings:
  mask: {model: mask_rcnn}
  naive: {model: r3_naive, iou: [0.5, 0.6]}
  advanced: {model: r3_advanced, iou: [0.5, 0.6]}
"""
TABLES = """\
tables:
  own:
    title: Own
    caption: Three rows.
    columns:
      - {name: bbox_AP, heading: Box AP, source: {score: bbox.AP}, format: percent}
      - {name: segm_AP, heading: Mask AP, source: {score: segm.AP}, format: percent}
    rows:
      - {label: Mask, training: mask, loops: 1}
      - {label: Naive, training: naive, loops: 2}
      - {label: Advanced, training: advanced, loops: 2}
"""
MINUTES = 12
STEPS = 150


class Project:
    """A copy of the project with a catalogue of three trainings; real, not stubs."""

    def __init__(self, root: Path) -> None:
        self.root, self.results = root, root / "results" / "scale"
        root.mkdir()
        for part in PARTS:
            source = ROOT / part
            copy = shutil.copytree if source.is_dir() else shutil.copy2
            ignored = {"ignore": shutil.ignore_patterns("__pycache__")} if source.is_dir() else {}
            copy(source, root / part, **ignored)
        (root / "own.yaml").write_text(CATALOGUE)
        (root / "tables.yaml").write_text(TABLES)
        scale = yaml.safe_load(SCALE.read_text())
        scale["schedules"]["1x"] = {
            "epochs": 30,
            "drops": [20],
        }  # long enough to be met in the middle
        (root / "scale.yaml").write_text(yaml.safe_dump(scale))

    def start(self, *command: str) -> subprocess.Popen:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        with open(self.root / "log", "ab") as log:
            return subprocess.Popen(
                command, cwd=self.root, stdout=log, stderr=log,
                env={**os.environ, "OMP_NUM_THREADS": "1", "PATH": path},
            )  # fmt: skip

    def snakemake(self) -> subprocess.Popen:
        return self.start("snakemake", "--profile", "workflow/profiles/local", *CONFIG)

    def finish(self, process: subprocess.Popen) -> None:
        try:
            assert process.wait(60 * MINUTES) == 0, (self.root / "log").read_text()[-4000:]
        finally:
            process.kill()

    def steps(self) -> dict[str, int]:
        """How many steps each training has logged."""
        logs = self.results.glob("state/*/seed0/*/train.jsonl")
        return {path.parts[-4]: len(path.read_text().splitlines()) for path in logs}

    def trainers(self) -> list[int]:
        """The processes that hold a lease now."""
        leases = [
            json.loads(p.read_text()) for p in self.results.glob("state/*/seed0/lease-*.json")
        ]
        return [lease["pid"] for lease in leases if not lease["released"]]

    def outcome(self) -> dict[str, object]:
        """All results but times: weights, counts, scores, the report's tables."""
        found = {}
        for path in sorted(self.results.rglob("*")):
            name = str(path.relative_to(self.results))
            if name.startswith("trainings/") and path.suffix in (".pth", ".csv", ".py"):
                found[name] = digest(path)
            elif name.startswith("scores/") and path.suffix == ".json":
                score = json.loads(path.read_text())
                found[name] = {key: score[key] for key in ("bbox", "segm", "images", "loops")}
            elif name.startswith("report/") and path.suffix in (".csv", ".md", ".tex"):
                found[name] = path.read_text()
        return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_killed_in_the_middle_of_three_trainings(tmp_path):
    project = Project(tmp_path / "disturbed")
    process = project.snakemake()
    try:
        until(lambda: any(10 <= steps < 100 for steps in project.steps().values()), 60 * MINUTES)
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

    undisturbed = Project(tmp_path / "undisturbed")
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
