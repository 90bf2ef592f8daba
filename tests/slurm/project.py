"""A copy of the project with a small catalogue, and what Snakemake and Slurm make of it."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.slurm.cluster import Cluster

ROOT = Path(__file__).resolve().parents[2]
PARTS = (
    "Snakefile", "environment.yml", "config", "workflow", "experiments", "r3cnn", "reports", "slurm",
)  # fmt: skip
CONFIG = ["--config", "catalogue=own.yaml", "scale=tiny.yaml"]
SNAKEMAKE = [sys.executable, "-m", "snakemake"]
# Waits are this much longer on a machine that is slow or has other work.
PATIENCE = float(os.environ.get("R3CNN_PATIENCE", "1"))
TRAININGS = ("r3_naive_inc", "long", "longer")
# What a user would wait for on a real cluster takes less here.
QUICK = ["--latency-wait", "5", "--slurm-init-seconds-before-status-checks", "2"]
CATALOGUE = """\
extends: nothing
tables: own_tables.yaml
trainings:
  r3_naive_inc: {model: r3_naive, iou: [0.5, 0.6]}
  long: {model: mask_rcnn}
  longer: {model: mask_rcnn, schedule: 3x}
"""
TABLES = """\
tables:
  own:
    title: Own
    caption: One row.
    columns:
      - {name: bbox_AP, heading: Box AP, source: {score: bbox.AP}, format: percent}
    rows:
      - {label: Naive, training: r3_naive_inc, loops: 2}
"""
SCALE = """\
seeds: [0]
data: {shapes: {train: 16, val: 4, width: 160, height: 128, classes: 6, seed: 0}}
images: [160, 128]
batch: 4
per_pass: 1
workers: 0
lr: 0.01
warmup: {iterations: 8, factor: 0.1}
schedules:
  1x: {epochs: 10, drops: [8]}
  3x: {epochs: 60, drops: [50]}
network: {depth: 14, base_channels: 16, channels: 32, fc: 128, rois: 32, proposals: 100,
  anchor_scale: 4, detections: 20}
"""


class Project:
    """A project folder; Snakemake runs in it in the background, so that tests can disturb it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.results = root / "results" / "tiny"
        self.running: list[subprocess.Popen] = []

    @classmethod
    def new(cls, root: Path) -> "Project":
        """A fresh copy, in which nothing has run."""
        root.mkdir(parents=True)
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, root / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, root / part)
        for name, text in (
            ("own.yaml", CATALOGUE),
            ("own_tables.yaml", TABLES),
            ("tiny.yaml", SCALE),
        ):
            (root / name).write_text(text)
        project = cls(root)
        project.set(examine=False)  # the cluster's GPUs are names of files
        return project

    def copy(self, root: Path) -> "Project":
        """Another folder with all that was made here."""
        shutil.copytree(self.root, root, symlinks=True)
        return Project(root)

    def catalogue(self, *trainings: str) -> None:
        """Leave only these trainings in the catalogue."""
        path = self.root / "own.yaml"
        lines = path.read_text().splitlines()
        others = [f"  {id_}: " for id_ in TRAININGS if id_ not in trainings]
        kept = [line for line in lines if not line.startswith(tuple(others))]
        path.write_text("\n".join(kept) + "\n")

    def set(self, **settings: object) -> None:
        """Fill in slurm/config.yaml, as a user does."""
        path = self.root / "slurm" / "config.yaml"
        text = path.read_text()
        for name, value in settings.items():
            text, found = re.subn(
                rf"^  {name}: \S+", f"  {name}: {json.dumps(value)}", text, flags=re.MULTILINE
            )
            assert found == 1, name
        path.write_text(text)

    def snakemake(self, *arguments: str, profile: str = "slurm") -> subprocess.Popen:
        """Start Snakemake; its output goes to snakemake.log."""
        quick = QUICK if profile == "slurm" else ["--cores", "1"]
        with open(self.root / "snakemake.log", "ab") as log:
            process = subprocess.Popen(
                [*SNAKEMAKE, "--profile", profile, *arguments, *CONFIG, *quick],
                cwd=self.root,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        self.running.append(process)
        return process

    def submit(self, *options: str) -> str:
        """Start Snakemake as a small job of its own, whose output goes to snakemake.log too; its id."""
        command = ["sbatch", "--parsable", "--mem=2G", "--output=snakemake.log", "slurm/run.sh"]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            [*command, *options, *CONFIG, *QUICK],
            cwd=self.root,
            env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout.strip()

    def trainers(self) -> list[int]:
        """The processes that train here."""
        return [
            pid
            for pid in self._processes()
            if Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[1:4]
            == [b"-m", b"r3cnn", b"train"]
        ]

    def finish(self, process: subprocess.Popen, seconds: float, code: int = 0) -> None:
        """Wait for a Snakemake, and require its exit code."""
        try:
            found = process.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"not done after {seconds} s: {self.log()[-3000:]}") from None
        assert found == code, self.log()[-6000:]

    def log(self) -> str:
        """All that Snakemake has said so far."""
        return (self.root / "snakemake.log").read_text()

    def stop(self) -> None:
        """Kill what still runs: Snakemakes by their pids, jobs of this folder by their ids."""
        for process in self.running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if jobs := self.live():
            subprocess.run(["scancel", *jobs], check=False, timeout=30)
        for process in self._processes():  # a node that is down ends none of them
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def _processes(self) -> list[int]:
        """All that work in this folder."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if Path(os.readlink(entry / "cwd")) == self.root:
                    found.append(int(entry.name))
        return found

    def live(self) -> dict[str, str]:
        """Slurm's live jobs of this folder: {id: comment}."""
        ask = ["squeue", "-h", "-o", "%i|%k|%Z"]
        out = subprocess.run(ask, capture_output=True, text=True, check=False, timeout=30).stdout
        rows = [line.split("|") for line in out.splitlines()]
        return {row[0]: row[1] for row in rows if row[2] == str(self.root)}

    def job(self, rule: str = "train", seconds: float = 60) -> str:
        """The id of this folder's only live job of a rule, as soon as there is one."""
        return wait_until(
            lambda: next((i for i, k in self.live().items() if k.startswith(f"rule_{rule}")), None),
            f"a job of rule {rule}",
            seconds,
        )

    def submitted(self, rule: str) -> list[str]:
        """The ids of all jobs of a rule that were ever submitted from here, as Snakemake tells them."""
        return re.findall(rf"SLURM jobid (\d+) \(log: \S+/rule_{rule}/", self.log())

    def steps(self, training: str = "long") -> int:
        """Steps that a training has logged."""
        files = (self.results / "state" / training / "seed0").glob("*/train.jsonl")
        return sum(len(path.read_text().splitlines()) for path in files)

    def wait_for_steps(self, steps: int, training: str = "long", seconds: float = 240) -> None:
        """Wait until a training has logged so many."""
        wait_until(lambda: self.steps(training) >= steps, f"{steps} steps of {training}", seconds)

    def manifest(self, training: str = "long") -> dict:
        """The manifest of a finished training."""
        return json.loads((self.trained(training) / "manifest.json").read_text())

    def trained(self, training: str = "long") -> Path:
        """The folder of a training's results."""
        return self.results / "trainings" / training / "seed0"

    def curve(self, training: str = "long") -> list[dict]:
        """The training's log, one line a step, without the times; waits for its end."""
        done = self.trained(training) / "manifest.json"
        wait_until(done.is_file, f"end of {training}", 600)
        lines = (self.trained(training) / "train.jsonl").read_text().splitlines()
        return [
            {key: value for key, value in json.loads(line).items() if key != "seconds"}
            for line in lines
        ]


def result(name: str, training: str) -> str:
    """The path of a training's result, as a target for Snakemake."""
    return f"results/tiny/trainings/{training}/seed0/{name}"


def wait_until(ready: Callable[[], object], what: str, seconds: float, every: float = 0.5):
    """The first truthy answer; fails after so many seconds."""
    end = time.monotonic() + seconds * PATIENCE
    while not (answer := ready()):
        assert time.monotonic() < end, f"no {what} after {seconds} s"
        time.sleep(every)
    return answer


def rounds(cluster: Cluster, job: str) -> list[tuple[str, str]]:
    """State and exit code of each round of a job, in order; prints what the accounting says."""
    print(cluster.sacct(job))
    lines = cluster.ask("sacct", "-X", "-D", "-n", "-P", "-j", job, "-o", "State,ExitCode")
    return [tuple(line.split("|")) for line in lines.splitlines()]
