"""The examination of a GPU node before the first training, with commands of Slurm that are made up."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.test_slurm_profile import profile
from tests.workflow.trees import Tree

# Notes its arguments; judges flags, runs the doctor's job, and refuses every other one.
SBATCH = """\
#!{python}
import json, pathlib, subprocess, sys
with open({calls!r}, "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
if "--test-only" in sys.argv:
    sys.exit()
if "--wait" not in sys.argv or {silent}:
    sys.exit("sbatch: error: not today")
log = sys.argv[sys.argv.index("--output") + 1]
with open(log, "w") as file:
    sys.exit(subprocess.run(sys.argv[-1], shell=True, stdout=file).returncode)
"""
OTHERS = {
    "squeue": "",
    "sacct": "",
    "sacctmgr": "",
    "scontrol": "",
    "scancel": "",
    "sinfo": "main*",
}
QUICK = ("--slurm-init-seconds-before-status-checks", "1", "--max-status-checks-per-second", "5")
TARGET = "results/smoke/trainings/mask_1x/seed0/manifest.json"


class Cluster:
    """A project, and a Slurm that takes the doctor's job alone."""

    def __init__(self, tree: Tree, folder: Path) -> None:
        self.tree, self.folder, self.calls = tree, folder, folder / "calls"
        folder.mkdir()
        for name, answer in OTHERS.items():
            self.command(name, f"#!/bin/sh\necho '{answer}'\n")
        self.sbatch()
        source = Path(__file__).resolve().parents[2] / "slurm"
        subprocess.run(["cp", "-r", source, tree.root / "slurm"], check=True)

    def command(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o755)

    def sbatch(self, silent: bool = False) -> None:
        settings = {"python": sys.executable, "calls": str(self.calls), "silent": silent}
        self.command("sbatch", SBATCH.format(**settings))

    def run(self, findings: str, *words: str) -> str:
        """Snakemake's output; no job but the doctor's can be submitted, so it never ends well."""
        self.calls.write_text("")
        (self.tree.root / "findings.txt").write_text(findings)
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", "--profile", "slurm", TARGET, *QUICK, *words,
             "--config", "scale=smoke"],
            cwd=self.tree.root,
            env=os.environ
            | {"PATH": f"{self.folder}:{os.environ['PATH']}", "PYTHONPATH": str(self.tree.root)},
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 1, done.stderr
        return done.stdout + done.stderr

    def submitted(self) -> list[list[str]]:
        """The arguments of every job that Slurm was asked to take, in order."""
        lines = map(json.loads, self.calls.read_text().splitlines())
        return [line for line in lines if "--test-only" not in line]


@pytest.fixture
def cluster(fresh: Tree, tmp_path: Path) -> Cluster:
    return Cluster(fresh, tmp_path / "bin")


def test_a_broken_node_ends_the_run_before_anything_is_queued(cluster):
    said = cluster.run("ok     imports: torch\nBROKEN GPU: torch sees none; see nvidia-smi")
    (line,) = [line for line in said.splitlines() if line.startswith("error: ")]
    assert "a GPU node cannot train: BROKEN GPU: torch sees none; see nvidia-smi" in line
    assert "results/smoke/logs/doctor.log" in line
    (job,) = cluster.submitted()
    assert job[-1] == "python -m r3cnn doctor --gpu"
    last = {word.partition("=")[0]: word.partition("=")[2] for word in job if "=" in word}
    assert (last["--gres"], last["--nodes"], last["--ntasks-per-node"]) == ("gpu:1", "1", "1")
    assert job[job.index("--comment") + 1] == "doctor"
    assert not (cluster.tree.root / "results" / "smoke" / "doctor.txt").exists()


@pytest.mark.slow
def test_a_sound_node_is_examined_once(cluster):
    cluster.run("ok     GPU 0 computes: a convolution")
    doctor, *jobs = cluster.submitted()
    assert "--wait" in doctor
    assert jobs
    told = cluster.tree.root / "results" / "smoke" / "doctor.txt"
    assert told.read_text().startswith("ok     GPU 0 computes")
    cluster.run("BROKEN GPU: not looked at")
    assert cluster.submitted()
    assert not [job for job in cluster.submitted() if "--wait" in job]


@pytest.mark.slow
def test_where_slurm_does_not_run_it_the_run_goes_on(cluster):
    cluster.sbatch(silent=True)
    said = cluster.run("ok     all")
    assert "No GPU node was examined (sbatch: error: not today); going on without" in said
    assert [job for job in cluster.submitted() if "--wait" not in job]


@pytest.mark.slow
def test_no_node_is_examined_where_it_is_not_wanted(cluster):
    cluster.tree.edit("slurm/config.yaml", "  examine: true", "  examine: false")
    cluster.run("BROKEN GPU: not looked at")
    assert cluster.submitted()
    assert not [job for job in cluster.submitted() if "--wait" in job]


def test_a_dry_run_examines_nothing(cluster):
    cluster.calls.write_text("")
    cluster.tree.snakemake("-n", "--profile", "slurm", TARGET)
    assert cluster.calls.read_text() == ""


def test_the_profile_asks_for_it_where_a_training_has_gpus(tmp_path):
    assert profile(tmp_path)["train:examined"] == "1"
    assert profile(tmp_path, gpus=0)["train:examined"] == "0"
    assert profile(tmp_path, examine="false")["train:examined"] == "0"
