"""Two result folders side by side."""

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner

from r3cnn.core.errors import UserError
from reports.__main__ import cli
from reports.results.compare import compare, to_text
from reports.results.load import load_results
from tests.reports.folders import FORMER, ResultFolder


@pytest.fixture
def other(tmp_path: Path) -> ResultFolder:
    folder = ResultFolder(tmp_path / "again" / "smoke")
    folder.data()
    return folder


def fill(folder: ResultFolder, *values: float, spread: float = 0.01, **changes: object) -> None:
    """One seed a value."""
    for seed, value in enumerate(values):
        folder.train("htc", seed, **changes)
        folder.score("htc", 3, value, value, seed=seed)
        folder.resample("htc", 3, value, seed=seed, spread=spread)


def test_second_minus_first_with_its_interval(smoke: ResultFolder, other: ResultFolder) -> None:
    fill(smoke, 0.40)
    fill(other, 0.42, spread=0.02, source_sha256=FORMER)
    other.score("mine", 1, 0.2, 0.2)
    rows = compare(load_results(smoke.path), load_results(other.path), ["bbox.AP"])
    first, second = rows
    assert first.difference == pytest.approx(2)
    # paired, the resamples reach from +1 to -1 about it; Student's t of 16 images
    reach = 2.1314 * 1 / 3**0.5
    assert (first.low, first.high) == pytest.approx((2 - reach, 2 + reach), abs=2e-3)
    assert (first.verdict, first.differs) == ("higher", "source")
    assert (second.training, second.first, second.second) == ("mine", None, pytest.approx(20))
    assert second.difference is None
    text = to_text(rows, "a|b", "c")
    assert r"a\|b" in text
    assert "Only in c: mine (L_e = 1)." in text.splitlines()
    assert "Only in a|b" not in text
    assert [line for line in text.splitlines() if line.startswith("| mine")] == []
    assert "+0.8 to +3.2" in text
    assert "other validation images only" in text
    assert "not corrected" not in text


def test_small_differences_are_not_told_apart(smoke: ResultFolder, other: ResultFolder) -> None:
    fill(smoke, 0.40, 0.41)
    fill(other, 0.401, 0.411)
    [row] = compare(load_results(smoke.path), load_results(other.path), ["bbox.AP"])
    assert (row.verdict, row.differs) == ("not told apart", "")
    assert "images only" not in to_text([row], "a", "b")


def test_several_rows_are_not_corrected_for_their_number(
    smoke: ResultFolder, other: ResultFolder
) -> None:
    fill(smoke, 0.40)
    fill(other, 0.42)
    rows = compare(load_results(smoke.path), load_results(other.path), ["bbox.AP", "segm.AP"])
    assert "The intervals are not corrected for the number of rows, 2." in to_text(rows, "a", "b")


def test_what_one_folder_does_not_know_is_no_difference(
    smoke: ResultFolder, other: ResultFolder
) -> None:
    fill(smoke, 0.40, source_sha256=None, device="CPU, first")
    fill(other, 0.42, source_sha256=FORMER, device="CPU, second", data={"val": "other"})
    [row] = compare(load_results(smoke.path), load_results(other.path), ["bbox.AP"])
    assert row.differs == "data, device"


def test_the_command(smoke: ResultFolder, other: ResultFolder, tmp_path: Path) -> None:
    fill(smoke, 0.40)
    fill(other, 0.42)
    out = tmp_path / "c.csv"
    done = CliRunner().invoke(cli, ["compare", str(smoke.path), str(other.path), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "| htc " in done.output
    lines = list(csv.DictReader(out.open()))
    assert [line["metric"] for line in lines] == ["bbox.AP", "segm.AP"]
    assert lines[0]["difference"] == "2.0000"


def test_an_unknown_metric(smoke: ResultFolder) -> None:
    fill(smoke, 0.4)
    results = load_results(smoke.path)
    with pytest.raises(UserError, match=r"--metric bbox.XP: in neither folder"):
        compare(results, results, ["bbox.XP"])
