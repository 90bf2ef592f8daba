"""docs/speed.md shows what reports/measured/bench-cpu.json holds."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("speed_table", ROOT / "scripts/speed_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def row(ratio: float, aim: float | None, **more: object) -> dict:
    measured = {"device": "CPU", "end": "2026-01-02T03:04:05"}
    return {"what": "a", "against": "b", "ratio": ratio, "aim": aim, "measured": measured, **more}


def test_a_table(script):
    times = {"one": {"seconds": [1.0, 3.0]}, "other": {"seconds": [4.0, 9.0, 5.0]}}
    rows = {"x": row(0.4, 0.5, times=times, cpu_ratio=0.25), "y": row(2.0, 1.0, found={"k": 0.1})}
    lines = script.table(rows).splitlines()
    assert lines[2] == "| `x` | 0.400 | 0.25 | 0.5 | met | one 2, other 5 |  |"
    assert lines[3] == "| `y` | 2.000 |  | 1 | **missed** |  | found: k 0.1 |"
    assert lines[-1] == "Measured 2026-01-02 on: CPU."


def test_only_what_stands_between_the_marks_is_written(script):
    page = f"a\n{script.BEGIN}\nold\n{script.END}\nb\n"
    once = script.renewed(page, "new")
    assert once == f"a\n{script.BEGIN}\nnew\n{script.END}\nb\n"
    with pytest.raises(SystemExit, match="no marks"):
        script.renewed("a", "new")


def test_the_page_shows_the_file(script):
    rows = json.loads((ROOT / "reports/measured/bench-cpu.json").read_text())["rows"]
    page = (ROOT / "docs/speed.md").read_text()
    assert script.renewed(page, script.table(rows)) == page, (
        "run: python scripts/speed_table.py reports/measured/bench-cpu.json docs/speed.md"
    )
