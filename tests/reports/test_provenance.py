"""Whether the present sources made a row."""

import subprocess

import pytest

from reports import provenance
from reports.load import load_results
from reports.provenance import compare_sources, row_sources
from tests.reports.folders import FORMER, PRESENT, ResultFolder

_ask = provenance.present_sources


@pytest.mark.parametrize(
    ("hashes", "present", "word"),
    [
        ([PRESENT], PRESENT, "present"),
        ([PRESENT, FORMER], PRESENT, "other"),
        ([None, FORMER], PRESENT, "other"),
        ([PRESENT, None], PRESENT, "unknown"),
        ([], PRESENT, "unknown"),
        ([PRESENT], None, "unknown"),
    ],
)
def test_comparison(hashes: list[str | None], present: str | None, word: str) -> None:
    assert compare_sources(hashes, present) == word


def test_a_row_asks_manifest_and_score_of_every_seed(smoke: ResultFolder) -> None:
    smoke.score("htc", 3, 0.4, 0.3)
    smoke.train("htc")
    assert row_sources(load_results(smoke.path), "htc", 3, PRESENT) == "present"
    smoke.train("htc", source_sha256=FORMER)
    assert row_sources(load_results(smoke.path), "htc", 3, PRESENT) == "other"
    smoke.train("htc")
    smoke.score("htc", 3, 0.4, 0.3, seed=1, provenance=smoke.manifest("htc", source_sha256=FORMER))
    assert row_sources(load_results(smoke.path), "htc", 3, PRESENT) == "other"
    assert row_sources(load_results(smoke.path), "htc", 2, PRESENT) == ""


@pytest.mark.parametrize(
    ("code", "output", "found"),
    [(0, PRESENT + "\n", PRESENT), (0, "no hash", None), (0, "", None), (1, PRESENT, None)],
)
def test_the_methods_command_line_is_asked(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    code: int,
    output: str,
    found: str | None,
) -> None:
    def run(command: list[str], **_: object) -> subprocess.CompletedProcess:
        assert command[1:] == ["-m", "r3cnn", "sources"]
        return subprocess.CompletedProcess(command, code, output, "")

    monkeypatch.setattr(subprocess, "run", run)
    assert _ask() == found
    assert ("unknown" in caplog.text) == (found is None)


def test_a_command_that_hangs_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: object) -> None:
        raise subprocess.TimeoutExpired(command, 120)

    monkeypatch.setattr(subprocess, "run", run)
    assert _ask() is None
