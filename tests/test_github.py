"""What GitHub reads: workflows that call targets that are there, issue forms, the security policy."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(
    set((GITHUB / "ISSUE_TEMPLATE").glob("*.yml")) - {GITHUB / "ISSUE_TEMPLATE" / "config.yml"}
)
KINDS = {"markdown", "textarea", "input", "dropdown", "checkboxes"}


def read(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def faults(workflow: dict) -> list[str]:
    """What a workflow's steps call that this checkout does not have."""
    found = []
    for name, job in workflow["jobs"].items():
        if "timeout-minutes" not in job:
            found.append(f"{name}: no timeout")
        for step in job["steps"]:
            words = step.get("run", "").split()
            if "run" in step and (words[:1] != ["make"] or words[1] not in targets()):
                found.append(f"{name}: {step['run']}")
            for file in re.findall(r"\b(?:tests|scripts)/[\w/.]+", step.get("run", "")):
                if not (ROOT / file).exists():
                    found.append(f"{name}: {file}")
    return found


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_calls_what_is_there(path):
    workflow = read(path)
    assert faults(workflow) == []
    assert {"name", "jobs", "permissions"} <= workflow.keys()
    triggers = workflow[True]  # YAML 1.1 reads `on` so
    assert {"push", "pull_request"} <= triggers.keys()
    assert workflow["permissions"] == {"contents": "read"}


@pytest.mark.parametrize("command", ["make lnit", "pip install x", "make lint tests/none.py"])
def test_a_step_that_cannot_run_is_found(command):
    job = {"timeout-minutes": 5, "steps": [{"uses": "actions/checkout@v4"}, {"run": command}]}
    assert len(faults({"jobs": {"one": job}})) == 1


def test_lint_the_fast_tests_on_every_python_and_the_wheel_run():
    jobs = read(GITHUB / "workflows" / "tests.yml")["jobs"]
    commands = {
        name: " ".join(s.get("run", "") for s in job["steps"]) for name, job in jobs.items()
    }
    assert "make lint" in commands["lint"]
    assert "make test-fast" in commands["fast"]
    assert "tests/packaging/test_wheel.py" in commands["wheel"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    stated = [line.rpartition(" ")[2] for line in project["classifiers"] if ":: 3." in line]
    assert jobs["fast"]["strategy"]["matrix"]["python"] == stated


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_an_issue_form_is_one(path):
    form = read(path)
    assert {"name", "description", "body"} <= form.keys()
    ids = [part["id"] for part in form["body"]]
    assert len(set(ids)) == len(ids)
    for part in form["body"]:
        assert part["type"] in KINDS
        assert part["attributes"]["label"]


def test_there_is_a_form_for_a_fault_and_the_policy_names_what_runs_code():
    assert {"bug.yml", "numbers.yml", "proposal.yml"} == {path.name for path in FORMS}
    policy = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert "--trust --sha256" in policy
    assert "Report a vulnerability" in policy
