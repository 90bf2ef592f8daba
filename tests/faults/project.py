"""A copy of the project with a catalogue of three trainings at the smallest scale; real, not stubs."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from tests.faults.runs import SCALE, digest

ROOT = Path(__file__).resolve().parents[2]
PARTS = (
    "Snakefile", "Makefile", "environment.yml", "config", "workflow", "experiments", "r3cnn", "reports",
)  # fmt: skip
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
STEPS_AN_EPOCH = 5


class Project:
    """The copy, in which Snakemake runs; `epochs` of STEPS_AN_EPOCH steps each."""

    def __init__(self, root: Path, epochs: int) -> None:
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
        scale["schedules"]["1x"] = {"epochs": epochs, "drops": [epochs * 2 // 3]}
        (root / "scale.yaml").write_text(yaml.safe_dump(scale))

    def start(self, *command: str) -> subprocess.Popen:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        with open(self.root / "log", "ab") as log:
            return subprocess.Popen(
                command, cwd=self.root, stdout=log, stderr=log,
                env={**os.environ, "OMP_NUM_THREADS": "1", "PATH": path, "PYTHONPATH": str(self.root)},
            )  # fmt: skip

    def snakemake(self, *arguments: str) -> subprocess.Popen:
        return self.start("snakemake", "--profile", "workflow/profiles/local", *CONFIG, *arguments)

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
            elif name.endswith(".errors.json"):
                found[f"errors of {name}"] = path.read_text()
            elif name.startswith("scores/") and path.suffix == ".json":
                score = json.loads(path.read_text())
                found[name] = {key: score[key] for key in ("bbox", "segm", "images", "loops")}
            elif name.startswith("report/") and path.suffix in (".csv", ".md", ".tex"):
                found[name] = path.read_text()
        return found
