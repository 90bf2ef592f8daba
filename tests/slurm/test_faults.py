"""What a cluster does to a training, and that its result is the one of a run that nothing disturbed."""

import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.slurm.cluster import Cluster
from tests.slurm.conftest import one_process
from tests.slurm.project import Project, result, rounds, wait_until

pytestmark = pytest.mark.slurm
LONG = result("manifest.json", "long")


def require_undisturbed(project: Project, undisturbed: Project, training: str = "long") -> None:
    """The same losses at every step, and the same checkpoint to the last byte."""
    assert project.curve(training) == undisturbed.curve(training)
    both = [(p.trained(training) / "checkpoint.pth").read_bytes() for p in (project, undisturbed)]
    assert both[0] == both[1]


@pytest.fixture(scope="module")
def cancelled(
    cluster: Cluster,
    template: Project,
    undisturbed: Project,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Project, Future]]:
    """A training on node 1 that is cancelled and run again, while the other tests go on."""
    project = template.copy(tmp_path_factory.mktemp("cancelled") / "project")
    one_process(project, "first")
    with ThreadPoolExecutor(1) as beside:
        yield project, beside.submit(cancel_and_run_again, cluster, project)
        project.stop()


def cancel_and_run_again(cluster: Cluster, project: Project) -> int:
    """The steps that were done when Snakemake had noticed."""
    snakemake = project.snakemake(LONG)
    project.wait_for_steps(6)
    cluster.ask("scancel", project.job())
    project.finish(snakemake, 180, code=1)
    steps = project.steps()
    project.finish(project.snakemake(LONG), 300)
    return steps


def test_a_training_that_a_higher_qos_preempts_goes_on_after_it(
    cluster: Cluster, project: Project, undisturbed: Project, cancelled: tuple
):
    snakemake = project.snakemake(LONG)
    job = project.job()
    project.wait_for_steps(6)
    everything = ["--qos=high", "--nodelist=node2", "--exclusive", "--output=/dev/null"]
    subprocess.run(["sbatch", *everything, "--wrap", "sleep 3"], check=True, timeout=30)
    project.finish(snakemake, 300)
    require_undisturbed(project, undisturbed)
    assert len(project.manifest()["attempts"]) == 2
    assert [state for state, _ in rounds(cluster, job)] == ["PREEMPTED", "COMPLETED"]


def test_a_training_whose_node_goes_down_goes_on_when_it_is_back(
    cluster: Cluster, project: Project, undisturbed: Project, cancelled: tuple
):
    snakemake = project.snakemake(LONG)
    job = project.job()
    project.wait_for_steps(6)
    cluster.ask("scontrol", "update", "NodeName=node2", "State=DOWN", "Reason=test")
    wait_until(
        lambda: "PENDING" in cluster.ask("squeue", "-h", "-j", job, "-o", "%T"), "requeue", 60
    )
    # refused where the node has come back by itself
    cluster.ask("scontrol", "update", "NodeName=node2", "State=RESUME", check=False)
    project.finish(snakemake, 300)
    require_undisturbed(project, undisturbed)
    assert len(project.manifest()["attempts"]) == 2
    assert [state for state, _ in rounds(cluster, job)] == ["NODE_FAIL", "COMPLETED"]


def test_a_cancelled_training_is_noticed_and_completed_by_the_next_run(
    cluster: Cluster, cancelled: tuple[Project, Future], undisturbed: Project
):
    project, future = cancelled
    steps = future.result(600)
    assert 6 <= steps < len(undisturbed.curve())
    assert "SLURM status is: 'CANCELLED'" in project.log()
    require_undisturbed(project, undisturbed)
    assert len(project.manifest()["attempts"]) == 2
    first, second = (rounds(cluster, id_) for id_ in project.submitted("train"))
    assert first[0][0].startswith("CANCELLED")
    assert [state for state, _ in second] == ["COMPLETED"]


def test_a_training_longer_than_its_jobs_time_limit_takes_three_rounds(
    cluster: Cluster, limited: Project, undisturbed: Project
):
    limited.finish(limited.running[0], 600)
    require_undisturbed(limited, undisturbed, "longer")
    found = rounds(cluster, limited.submitted("train")[0])
    assert [state for state, _ in found] == ["REQUEUED"] * (len(found) - 1) + ["COMPLETED"]
    assert len(limited.manifest("longer")["attempts"]) == len(found) >= 3
