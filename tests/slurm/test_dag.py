"""Every kind of rule through `--profile slurm`, by a Snakemake that is a small job itself."""

from collections import defaultdict
from collections.abc import Iterator

import pytest

from tests.slurm.cluster import Cluster
from tests.slurm.project import Project, rounds, wait_until

pytestmark = pytest.mark.slurm
ON_GPUS = {"train", "predict", "measure"}


@pytest.fixture(scope="module")
def made(
    cluster: Cluster, undisturbed: Project, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """All results of a catalogue of one training, made from nothing by a small job that meets its time limit."""
    project = Project.new(tmp_path_factory.mktemp("made") / "project")
    project.catalogue("r3_naive_inc")
    project.set(nodes=2, gpus=2, cpus=1, memory=2)
    try:
        keeper = project.submit()
        project.wait_for_steps(1, "r3_naive_inc", 300)
        cluster.ask("scancel", "--batch", "--signal=USR1", keeper)
        done = project.results / "report" / "index.html"
        wait_until(lambda: done.is_file() and keeper not in project.live(), "report", 400, every=2)
        assert [state for state, _ in rounds(cluster, keeper)] == ["REQUEUED", "COMPLETED"]
        yield project
    finally:
        project.stop()


def test_every_result_is_made(made: Project):
    for name in (
        "report/index.html",
        "report/own.csv",
        "report/figure2.svg",
        "scores/r3_naive_inc/seed0/loops2.json",
        "measurements/r3_naive_inc.json",
    ):
        assert (made.results / name).stat().st_size > 0, name


def test_only_what_needs_a_gpu_takes_one(cluster: Cluster, made: Project):
    fields = "Comment,AllocTRES,NNodes,State,WorkDir"
    lines = cluster.ask("sacct", "-X", "-n", "-P", "-o", fields).splitlines()
    jobs = defaultdict(list)
    for comment, resources, nodes, state, folder in (line.split("|") for line in lines):
        if folder == str(made.root) and comment:
            assert state == "COMPLETED", comment
            rule = comment.removeprefix("rule_").split("_wildcards_")[0]
            jobs[rule].append((int(nodes), "gres/gpu=" in resources, "gres/gpu=4" in resources))
    assert set(jobs) == ON_GPUS | {"shapes", "check", "score"}  # the rest runs beside Snakemake
    assert jobs.pop("train") == [(2, True, True)]
    for rule, found in jobs.items():
        assert {(nodes, gpu) for nodes, gpu, _ in found} == {(1, rule in ON_GPUS)}, rule


def test_the_jobs_second_round_waits_for_the_firsts_training(made: Project):
    assert made.log().count("Waiting for jobs that an earlier run left on Slurm") == 1
    assert len(made.submitted("train")) == 1
    assert len(made.manifest("r3_naive_inc")["attempts"]) == 1


def test_two_nodes_of_two_processes_train_as_one_process_does(made: Project, undisturbed: Project):
    """Each process's losses are those of its own images; their mean over the processes is logged."""
    together, alone = (p.curve("r3_naive_inc") for p in (made, undisturbed))
    assert len(together) == len(alone)
    for name, value in alone[0].items():
        assert together[0][name] == pytest.approx(value, rel=2e-5, abs=2e-6), name
    manifest = made.manifest("r3_naive_inc")
    assert (manifest["world_size"], manifest["batch"], manifest["lr"]) == (4, 4, 0.01)
    hosts = {attempt["host"] for attempt in manifest["attempts"]}
    assert hosts == {"node1"}  # of the first process
