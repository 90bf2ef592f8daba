"""Whether the present sources made a row."""

import pytest

from r3cnn.core.source_hash import source_hash
from reports.results import provenance
from reports.results.load import load_results
from reports.results.provenance import compare_sources, row_sources
from tests.reports.folders import FORMER, PRESENT, SOURCES, ResultFolder

_ask = provenance.present_sources


@pytest.mark.parametrize(
    ("claims", "present", "word"),
    [
        ([{PRESENT}], SOURCES, "present"),
        ([{FORMER, PRESENT}], SOURCES, "present"),
        ([{PRESENT}, {FORMER}], SOURCES, "other"),
        ([set(), {FORMER}], SOURCES, "other"),
        ([{PRESENT}, set()], SOURCES, "unknown"),
        ([], SOURCES, "unknown"),
        ([{PRESENT}], None, "unknown"),
    ],
)
def test_comparison(claims: list[set[str]], present: frozenset[str] | None, word: str) -> None:
    assert compare_sources(claims, present) == word


def test_a_row_asks_manifest_and_score_of_every_seed(smoke: ResultFolder) -> None:
    smoke.score("htc", 3, 0.4, 0.3)
    smoke.train("htc")
    assert row_sources(load_results(smoke.path), "htc", 3, SOURCES) == "present"
    smoke.train("htc", source_sha256=FORMER)
    assert row_sources(load_results(smoke.path), "htc", 3, SOURCES) == "other"
    smoke.train("htc")
    smoke.score("htc", 3, 0.4, 0.3, seed=1, provenance=smoke.manifest("htc", source_sha256=FORMER))
    assert row_sources(load_results(smoke.path), "htc", 3, SOURCES) == "other"
    assert row_sources(load_results(smoke.path), "htc", 2, SOURCES) == ""


def test_a_verified_row_is_of_the_present_sources(smoke: ResultFolder) -> None:
    verified = [{"source_sha256": PRESENT, "source_scheme": 2}]
    smoke.score("htc", 3, 0.4, 0.3)
    smoke.train("htc", source_sha256=FORMER, verified=verified)
    assert row_sources(load_results(smoke.path), "htc", 3, SOURCES) == "present"


def test_another_way_of_scoring_marks_the_row(smoke: ResultFolder) -> None:
    smoke.train("htc")
    provenance = smoke.manifest("htc", scoring_sha256=FORMER)
    smoke.score("htc", 3, 0.4, 0.3, provenance=provenance)
    assert row_sources(load_results(smoke.path), "htc", 3, SOURCES) == "other"


def test_the_present_sources_have_a_hash_for_each_part() -> None:
    assert _ask() == {source_hash(part) for part in ("training", "prediction", "scoring")}
