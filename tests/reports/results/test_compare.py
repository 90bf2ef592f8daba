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


def fill(folder: ResultFolder, value: float, **changes: object) -> None:
    folder.train("htc", **changes)
    folder.score("htc", 3, value, value)
    folder.resample("htc", 3, value, spread=0.01)


def test_second_minus_first_with_its_interval(smoke: ResultFolder, other: ResultFolder) -> None:
    fill(smoke, 0.40)
    fill(other, 0.41, source_sha256=FORMER)
    other.score("mine", 1, 0.2, 0.2)
    rows = compare(load_results(smoke.path), load_results(other.path), ["bbox.AP"])
    first, second = rows
    assert first.difference == pytest.approx(1)
    assert (first.low, first.high) == pytest.approx((1 - 0.198, 1 + 0.198), abs=1e-3)
    assert (first.verdict, first.differs) == ("higher", "source")
    assert (second.training, second.first, second.second) == ("mine", None, pytest.approx(20))
    assert second.difference is None
    text = to_text(rows, "a|b", "c")
    assert r"a\|b" in text
    assert "not run" in text
    assert "+0.8 to +1.2" in text


def test_small_differences_are_not_told_apart(smoke: ResultFolder, other: ResultFolder) -> None:
    fill(smoke, 0.40)
    fill(other, 0.401)
    [row] = compare(load_results(smoke.path), load_results(other.path), ["bbox.AP"])
    assert (row.verdict, row.differs) == ("not told apart", "")


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
