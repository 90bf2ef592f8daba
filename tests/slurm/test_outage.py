"""A process that dies, a Slurm that does not answer, and flags that it refuses."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster
from tests.slurm.conftest import one_process
from tests.slurm.project import Project, result, rounds, wait_until

pytestmark = pytest.mark.slurm
OUTAGE = 60  # seconds
SURVIVES = ["--slurm-status-attempts", "200", "--max-status-checks-per-second", "1"]
GIVES_UP = ["--slurm-status-attempts", "2", "--max-status-checks-per-second", "1"]


@pytest.fixture
def impatient(template: Project, tmp_path: Path) -> Iterator[Project]:
    """A project on node 1 whose Snakemake gives Slurm up at once."""
    project = one_process(template.copy(tmp_path / "impatient"), "first")
    yield project
    project.stop()


def test_a_process_that_dies_and_an_outage_cost_neither_the_training_nor_the_run(
    cluster: Cluster, project: Project, impatient: Project, undisturbed: Project
):
    project.set(gpus=2)
    snakemake = project.snakemake(result("manifest.json", "long"), *SURVIVES)
    job = project.job()
    project.wait_for_steps(6)
    os.kill(wait_until(lambda: project.trainers()[1:], "a second process", 10)[0], signal.SIGKILL)
    # the other one ends with it, not after the 300 s of srun --wait
    wait_until(lambda: len(rounds(cluster, job)) == 2, "a second round", 90)
    lossy = impatient.snakemake(result("manifest.json", "long"), *GIVES_UP)
    impatient.job()
    with cluster.outage():
        began = time.monotonic()
        impatient.finish(lossy, 120, code=1)
        time.sleep(max(0.0, OUTAGE - time.monotonic() + began))
    project.finish(snakemake, 300)
    assert len(project.manifest()["attempts"]) == 2
    assert len(project.curve()) == len(undisturbed.curve())
    assert [state for state, _ in rounds(cluster, job)] == ["REQUEUED", "COMPLETED"]
    lost = impatient.log().partition("Slurm did not tell the state of jobs ")[2]
    assert lost.startswith(impatient.submitted("train")[0])
    assert "continue with: snakemake --profile slurm" in lost


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"constraint": "v1000"}, "Invalid feature specification"),
        ({"gpu_type": "none"}, "Requested node configuration is not available"),
        ({"partition": "none"}, "invalid partition specified: none"),
        ({"account": "none"}, "account none appears to be invalid"),
    ],
)
def test_what_slurm_refuses_ends_the_run_before_anything_is_submitted(
    project: Project, setting: dict, words: str
):
    before = project.live()
    project.set(**setting)
    project.finish(project.snakemake(result("manifest.json", "long")), 90, code=1)
    assert project.submitted("train") == []
    assert project.live() == before
    (line,) = [one for one in project.log().splitlines() if "Slurm refuses the jobs of" in one]
    assert words in line
    status = [sys.executable, "-m", "r3cnn", "status", "--scale", "tiny.yaml"]
    told = subprocess.run(
        [*status, "--catalogue", "own.yaml"],
        cwd=project.root, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert words in told.stdout
