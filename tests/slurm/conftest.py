"""One Slurm for all of these tests, and a project whose trainings are ready to be submitted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm import cluster as slurm
from tests.slurm.project import TRAININGS, Project, result

LOCAL = "workflow/profiles/local"


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[slurm.Cluster]:
    """A running cluster; skips with the reason where none can be started."""
    try:
        with slurm.running(tmp_path_factory.mktemp("slurm") / "cluster") as found:
            yield found
    except slurm.Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="package")
def template(cluster: slurm.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with data and resolved configs."""
    project = Project.new(tmp_path_factory.mktemp("template") / "project")
    configs = [result("config.py", id_) for id_ in TRAININGS]
    project.finish(project.snakemake(*configs, profile=LOCAL), 120)
    return project


def one_process(project: Project, feature: str) -> Project:
    """Set it to train with one process on the node that has this feature."""
    project.set(nodes=1, gpus=1, cpus=1, memory=2, constraint=feature)
    return project


@pytest.fixture(scope="package")
def limited(template: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A training in jobs that are too short for it, on node 1; it takes minutes, so it starts first."""
    project = template.copy(tmp_path_factory.mktemp("limited") / "project")
    one_process(project, "first").set(minutes=1, warning=15)
    project.snakemake(result("manifest.json", "longer"))
    yield project
    project.stop()


@pytest.fixture(scope="package")
def undisturbed(
    limited: Project, template: Project, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """The same project in which all are trained without Slurm, each by one process, one after the other."""
    project = template.copy(tmp_path_factory.mktemp("undisturbed") / "project")
    manifests = [result("manifest.json", id_) for id_ in TRAININGS]
    project.snakemake(*manifests, profile=LOCAL)
    yield project
    project.stop()


@pytest.fixture
def project(template: Project, undisturbed: Project, tmp_path: Path) -> Iterator[Project]:
    """A copy for one test, which trains on node 2; what it leaves running is ended."""
    copy = one_process(template.copy(tmp_path / "project"), "second")
    yield copy
    copy.stop()
