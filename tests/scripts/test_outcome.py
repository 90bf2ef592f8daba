"""The last lines of `make reproduce`: what came out, and where the report is."""

import importlib
from pathlib import Path

import pytest

from tests.reports.folders import ResultFolder

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = "claim,numbers,claim_status\n"


@pytest.fixture(scope="module")
def script():
    return importlib.import_module("outcome")


@pytest.fixture
def run(tmp_path) -> ResultFolder:
    folder = ResultFolder(tmp_path / "quick", "quick")
    for loops, box in ((1, 0.278), (3, 0.2994), (5, 0.287)):
        folder.score("r3_naive_inc", loops, box, 0.212)
    folder.train("r3_naive_inc")
    return folder


def report(run: ResultFolder, claims: str = "") -> str:
    (run.path / "report").mkdir()
    (run.path / "report" / "index.html").touch()
    (run.path / "report" / "claims.csv").write_text(COLUMNS + claims)
    return f"The report: {(run.path / 'report' / 'index.html').as_uri()}"


def test_a_run(script, run):
    page = report(
        run,
        "C1,ours,holds\nC1,paper,fails\nC2,ours,undecided\nC2,ours,undecided\nC3,ours,fails\nC4,ours,fails\n",
    )
    assert script.outcome(run.path) == [
        f"{run.path}: 1 training, 3 evaluations.",
        "Box / mask AP: R3-CNN (naive), L_e = 3: 29.9 / 21.2.",
        "The paper's claims in miniature: 2 fail, 1 holds, 1 undecided.",
        page,
        script.NEXT,
    ]


def test_numbers_of_smoke_are_not_shown(script, tmp_path):
    folder = ResultFolder(tmp_path / "smoke", "smoke")
    folder.score("htc", 3, 0.1, 0.1)
    folder.train("htc")
    page = report(folder, "C1,ours,holds\n")
    assert [line for line in script.outcome(folder.path) if "AP" in line or "claims" in line] == []
    assert page in script.outcome(folder.path)


def test_without_a_report_none_is_named(script, run):
    assert len(script.outcome(run.path)) == 2
    assert "make status" in script.outcome(run.path)[1]
