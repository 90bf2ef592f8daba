"""Which claims were written down before their trainings began."""

from dataclasses import replace

import pytest
from click.testing import CliRunner

from reports.__main__ import cli
from reports.claims.registered import BEFORE, CHANGED, LATE, UNKNOWN, register, registered_of
from reports.claims.spec import Claims, load_claims
from tests.reports.folders import ResultFolder


@pytest.fixture
def claims() -> Claims:
    return load_claims()


def edited(claims: Claims) -> Claims:
    """C1 with another limit."""
    first, *others = claims.claims
    check, *more = first.checks
    first = replace(first, checks=(replace(check, least=-1.0), *more))
    return replace(claims, claims=(first, *others))


def test_a_claim_may_be_edited_until_its_trainings_begin(
    smoke: ResultFolder, claims: Claims
) -> None:
    register(edited(claims), smoke.path)
    register(claims, smoke.path)
    smoke.train("mask_1x")
    register(claims, smoke.path)
    assert set(registered_of(claims, smoke.path).values()) == {BEFORE}


def test_one_that_was_edited_after_that_says_so(smoke: ResultFolder, claims: Claims) -> None:
    register(claims, smoke.path)
    (smoke.path / "state" / "mask_1x" / "seed0").mkdir(parents=True)
    register(edited(claims), smoke.path)
    found = registered_of(edited(claims), smoke.path)
    assert found.pop("C1") == CHANGED
    assert set(found.values()) == {BEFORE}
    assert registered_of(claims, smoke.path)["C1"] == BEFORE


def test_another_spread_is_another_claim(smoke: ResultFolder, claims: Claims) -> None:
    register(claims, smoke.path)
    wider = replace(claims, spreads=claims.spreads | {"speed": 0.5})
    assert registered_of(wider, smoke.path)["C3"] == CHANGED


def test_a_note_may_be_mended(smoke: ResultFolder, claims: Claims) -> None:
    register(claims, smoke.path)
    mended = replace(claims, claims=tuple(replace(c, note="x", says="y") for c in claims.claims))
    assert set(registered_of(mended, smoke.path).values()) == {BEFORE}


def test_one_that_came_late_or_never_says_so(smoke: ResultFolder, claims: Claims) -> None:
    smoke.train("mask_1x")
    assert registered_of(claims, smoke.path)["C1"] == UNKNOWN
    register(claims, smoke.path)
    found = registered_of(claims, smoke.path)
    assert (found["C1"], found["C3"]) == (LATE, BEFORE)


def test_the_command_writes_into_a_folder_that_is_not_there_yet(smoke: ResultFolder) -> None:
    folder = smoke.path.parent / "mini"
    done = CliRunner().invoke(cli, ["register", "--results", str(folder)])
    assert done.exit_code == 0, done.output
    assert (folder / "claims.json").is_file()
