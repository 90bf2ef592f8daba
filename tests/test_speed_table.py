"""docs/speed.md shows what measured/bench-cpu.json holds."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def script():
    return importlib.import_module("speed_table")


def row(ratio: float, aim: float | None, commit: str | None = "0" * 40, **more: object) -> dict:
    measured = {"device": "CPU", "end": "2026-01-02T03:04:05", "git_commit": commit}
    return {"what": "a", "against": "b", "ratio": ratio, "aim": aim, "measured": measured, **more}


def test_a_table(script):
    times = {"one": {"seconds": [1.0, 3.0]}, "other": {"seconds": [4.0, 9.0]}}
    odd = {"one": {"seconds": [4.0, 9.0, 5.0]}}
    rows = {
        "x": row(0.4, 0.5, times=times, cpu_ratio=0.25),
        "y": row(2.0, 1.0, found={"k": 0.1}, times=odd),
    }
    lines = script.table(rows).splitlines()
    assert lines[2] == "| `x` | 0.400 | 0.25 | 0.5 | met | one 2, other 6.5 (means of two) |  |"
    assert lines[3] == "| `y` | 2.000 |  | 1 | **missed** | one 5 | found: k 0.1 |"


@pytest.mark.parametrize(("seconds", "verdict"), [(29.0, "met"), (31.0, "**missed**")])
def test_an_aim_in_seconds_is_judged_too(script, seconds, verdict):
    rows = {"x": row(2.0, 20.0, seconds_of_the_larger=seconds, seconds_aim=30)}
    line = script.table(rows).splitlines()[2]
    assert line.startswith(f"| `x` | 2.000 |  | 20 and 30 s | {verdict} |")
    assert line.endswith(f"| seconds of the larger: {seconds:g} |")


def test_below_the_table_stands_where_the_rows_come_from(script):
    rows = {name: row(1.0, None) for name in script.LIST}
    rows["score"] = row(1.0, None, "1234567890-dirty")
    rows["harness"] = row(1.0, None, None)
    rows["planning"]["measured"]["device"] = "2 cores"
    del rows["train-naive"], rows["bootstrap"]
    *_, first, _, one, two, three, four, _, missing = script.table(rows).splitlines()
    assert first == "Measured 2026-01-02:"
    assert one == "- on 2 cores, commit `0000000`: `planning`"
    assert two == "- on CPU, commit not recorded: `harness`"
    assert three.startswith("- on CPU, commit `0000000`: `coco-start`, ")
    assert four == "- on CPU, commit `1234567` with uncommitted changes: `score`"
    assert missing == "Not measured: `train-naive`, `bootstrap`."


def test_the_list_is_that_of_the_page(script):
    page = (ROOT / "docs/speed.md").read_text().partition("<!-- made: ")[0]
    assert [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")] == [
        *script.ROWS,
        *("coco-start", "score-command", "planning", "harness"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file; run `make bench`"),
        ("{", "not a file of `bench`"),
        ('{"rows": {"a": {}}}', "row a: what: expected text"),
        ('{"rows": {"a": {"what": "", "against": "", "ratio": 1}}}', "row a: measured: expected"),
    ],
)
def test_another_file_is_refused(tmp_path, text, message):
    source, page = tmp_path / "x.json", tmp_path / "page.md"
    page.write_text("a")
    if text is not None:
        source.write_text(text)
    command = [sys.executable, str(ROOT / "scripts/speed_table.py"), str(source), str(page)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {source}: {message}")
    assert done.stderr.count("\n") == 1
    assert page.read_text() == "a"


def test_a_page_that_is_not_there_is_refused(script, tmp_path):
    with pytest.raises(script.UserError, match=r"none\.md: no such file"):
        script.main(ROOT / "measured/bench-cpu.json", tmp_path / "none.md")


def test_a_page_without_the_part_is_refused(script, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a")
    with pytest.raises(script.UserError, match=r"page\.md: the page has no part"):
        script.main(ROOT / "measured/bench-cpu.json", page)
    assert page.read_text() == "a"


def test_the_page_shows_the_file(script):
    rows = json.loads((ROOT / "measured/bench-cpu.json").read_text())["rows"]
    page = (ROOT / "docs/speed.md").read_text()
    assert script.renewed(page, {"measured": lambda: script.table(rows)}) == page, (
        "run: python scripts/speed_table.py measured/bench-cpu.json docs/speed.md"
    )
