"""constraints.txt is the one list of versions: every other place that states one agrees with it."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PIN = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>[\w.]+)")


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins_in(lines: list[str]) -> dict[str, str]:
    """Versions by canonical name of every `name==version` in the lines, comments left out."""
    found = {}
    for line in lines:
        for match in PIN.finditer(line.split("#")[0]):
            found[canonical(match["name"])] = match["version"]
    return found


def disagreements(stated: dict[str, str], constraints: dict[str, str]) -> list[str]:
    return [
        f"{name}=={version}, but constraints.txt has {constraints.get(name)}"
        for name, version in stated.items()
        if constraints.get(name) != version
    ]


def names_of(requirements: list[str]) -> set[str]:
    return {canonical(re.match(r"[\w.-]+", requirement)[0]) for requirement in requirements}


def constraint_lines() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def constraints() -> dict[str, str]:
    return pins_in(constraint_lines())


@pytest.fixture(scope="module")
def conda() -> dict:
    return yaml.safe_load((ROOT / "environment.yml").read_text())


@pytest.fixture(scope="module")
def conda_pip(conda) -> list[str]:
    return next(part["pip"] for part in conda["dependencies"] if isinstance(part, dict))


@pytest.fixture(scope="module")
def post_deploy() -> dict[str, str]:
    return pins_in((ROOT / "environment.post-deploy.sh").read_text().splitlines())


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_a_disagreement_is_found():
    stated = pins_in(["- torch==2.12.0", "pip install onedl_mmcv==2.3.6  # six==0", "pandas>=3"])
    assert stated == {"torch": "2.12.0", "onedl-mmcv": "2.3.6"}
    assert disagreements(stated, {"torch": "2.13.0", "onedl-mmcv": "2.3.6"}) == [
        "torch==2.12.0, but constraints.txt has 2.13.0"
    ]


def test_every_constraint_is_one_exact_version(constraints):
    unpinned = [line for line in constraint_lines() if not PIN.fullmatch(line)]
    assert unpinned == []
    assert len(constraints) == len(constraint_lines()), "a name stands twice in constraints.txt"


def test_environment_yml_states_the_constraints(conda_pip, constraints):
    assert [line for line in conda_pip if not PIN.fullmatch(line)] == []
    assert disagreements(pins_in(conda_pip), constraints) == []


def test_environment_yml_states_the_python(conda, project):
    assert conda["name"] == "r3cnn"
    assert "python=3.11" in conda["dependencies"]
    assert project["requires-python"] == ">=3.11,<3.12"


def test_post_deploy_states_the_constraints(post_deploy, constraints):
    assert "onedl-mmcv" in post_deploy
    assert disagreements(post_deploy, constraints) == []


def test_environment_yml_installs_all_that_the_project_needs(conda_pip, post_deploy, project):
    installed = set(pins_in(conda_pip)) | set(post_deploy)
    assert names_of(project["dependencies"]) - installed == set()


def test_mmcv_is_built_after_torch_only(conda_pip):
    # In the pip list it would be built in isolation, without torch: no operators, no error.
    assert "onedl-mmcv" not in names_of(conda_pip)


def test_pyproject_agrees_with_the_constraints(project, constraints):
    requirements = project["dependencies"] + project["optional-dependencies"]["dev"]
    assert names_of(requirements) - set(constraints) == set()
    hard = pins_in(requirements)
    assert set(hard) == {"torch", "onedl-mmcv", "onedl-mmdetection", "onedl-mmengine"}
    assert disagreements(hard, constraints) == []


def test_the_environment_at_hand_is_the_pinned_one(constraints):
    # A local label (+cpu, +cu130) tells the build, not the version.
    installed = {
        canonical(distribution.metadata["Name"]): distribution.version.split("+")[0]
        for distribution in importlib.metadata.distributions()
    }
    stated = {name: version for name, version in installed.items() if name in constraints}
    assert "torch" in stated
    assert disagreements(stated, constraints) == []
