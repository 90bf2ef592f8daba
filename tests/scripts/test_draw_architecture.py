"""The drawings of docs/architecture.md are those of the code as it stands."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def script():
    return importlib.import_module("draw_architecture")


@pytest.fixture(scope="module")
def fresh(script) -> str:
    return script.drawn(script.PAGE.read_text(encoding="utf-8"))


def test_the_page_is_up_to_date(script, fresh):
    page = script.PAGE.read_text(encoding="utf-8")
    assert page == fresh, "run: python scripts/draw_architecture.py"


def test_an_outdated_page_would_be_noticed(script, monkeypatch):
    page = script.PAGE.read_text(encoding="utf-8")
    monkeypatch.setattr(script, "data_flow", lambda: "```mermaid\n```")
    monkeypatch.setattr(script, "rooms", lambda: "```mermaid\n```")
    found = script.drawn(page)
    assert found != page
    assert found.count("<!-- made: ") == found.count("<!-- end -->") == 3


def test_every_rule_and_every_module_is_drawn(fresh):
    flow = fresh.partition("<!-- made: flow -->")[2].partition("<!-- end -->")[0]
    for rule in ("shapes", "check", "resolve", "train", "predict", "score", "measure", "report"):
        assert f'  {rule}(["{rule}<br/>' in flow
    assert "{" not in flow.replace("```mermaid", "")  # every wildcard has its sign
    for package in ("r3cnn", "reports"):
        for path in (ROOT / package).glob("*/**/*.py"):
            name = path.relative_to(ROOT / package).as_posix().partition("/")[2]
            assert f"| `{name}` |" in fresh


def test_imports_are_counted(script):
    edges = set(re.findall(r"(\w+) -->\|\d+\| (\w+)", script.rooms()))
    expected = {
        ("r3cnn_models", "mmdet"),
        ("reports_results", "pandas"),
        ("workflow", "r3cnn_catalogue"),
        ("reports_page", "reports_results"),
        ("reports_results", "r3cnn_core"),
    }
    assert expected <= edges
    assert (
        not {("reports_page", "torch"), ("reports_page", "r3cnn_models"), ("workflow", "torch")}
        & edges
    )
