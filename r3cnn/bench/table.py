"""The file of measured rows, and the table that is printed."""

import json
from collections.abc import Mapping
from pathlib import Path

from .. import provenance
from ..errors import UserError
from ..files import write_json

BESIDE = ("what", "against", "aim", "ratio", "cpu_ratio", "times", "measured")


def read(path: Path) -> dict:
    """{"rows": {name: row}} of an earlier run; no rows where there is no file."""
    if not path.is_file():
        return {"rows": {}}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content["rows"].items()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not a file of `bench` ({error}); remove it") from error
    return content


def add(path: Path, rows: Mapping[str, dict]) -> dict:
    """Write rows into the file, each with what measured it; rows of other names stay. Returns the content."""
    content = read(path)
    origin = {**provenance.record(), "end": provenance.now()}
    for name, row in rows.items():
        content["rows"][name] = {**row, "measured": origin}
    write_json(path, content)
    return content


def render(content: dict) -> str:
    """One line a row: what, the ratio, the aim, whether it is met; below it what else was found."""
    lines = [f"{'row':20} {'ratio':>7} {'cpu':>7} {'aim':>6}        what / against"]
    for name, row in content["rows"].items():
        aim = row.get("aim")
        verdict = "" if aim is None else "met" if row["ratio"] <= aim else "missed"
        limit = "" if aim is None else f"{aim:.2f}"
        busy = f"{row['cpu_ratio']:.3f}" if row.get("cpu_ratio") is not None else "-"
        lines.append(
            f"{name:20} {row['ratio']:7.3f} {busy:>7} {limit:>6} {verdict:6} {row['what']} / {row['against']}"
        )
        lines += [
            f"{'':20} {key}: {_number(value)}" for key, value in row.items() if key not in BESIDE
        ]
    return "\n".join(lines)


def _number(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_number(item)}" for key, item in value.items())
    return value
