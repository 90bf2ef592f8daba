"""Projects with stubbed command lines: a fresh one, and one whose whole DAG has run."""

import shutil
from pathlib import Path

import pytest

from tests.workflow.trees import Tree, project


@pytest.fixture
def fresh(tmp_path: Path) -> Tree:
    """A project in which nothing has run."""
    folder = tmp_path / "project"
    folder.mkdir()
    return project(folder)


@pytest.fixture(scope="session")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A project whose whole DAG has run once; not to be changed."""
    tree = project(tmp_path_factory.mktemp("complete"))
    tree.snakemake("--profile", "workflow/profiles/local", "--cores", "4")
    return tree


@pytest.fixture
def done(complete: Tree, tmp_path: Path) -> Tree:
    """A copy of the complete project, to be changed."""
    return Tree(Path(shutil.copytree(complete.root, tmp_path / "project", symlinks=True)))
