"""Write the measured table of docs/speed.md from the file of `make bench`.

python scripts/speed_table.py reports/measured/bench-cpu.json docs/speed.md
"""

import json
import os
import sys
from pathlib import Path

BEGIN, END = "<!-- measured: written by scripts/speed_table.py -->", "<!-- /measured -->"
BESIDE = ("what", "against", "aim", "ratio", "cpu_ratio", "times", "measured")


def table(rows: dict[str, dict]) -> str:
    """One line a row; what else was found stands in the last column."""
    lines = [
        "| row | ratio | of CPU time | aim | | seconds, medians | also |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        aim = row.get("aim")
        verdict = "" if aim is None else "met" if row["ratio"] <= aim else "**missed**"
        also = "; ".join(
            f"{key.replace('_', ' ')}: {_shown(row[key])}" for key in row if key not in BESIDE
        )
        cells = (
            *(f"`{name}`", f"{row['ratio']:.3f}", _shown(row.get("cpu_ratio")), _shown(aim)),
            *(verdict, _medians(row.get("times", {})), also),
        )
        lines.append("| " + " | ".join(cells) + " |")
    devices = sorted({row["measured"]["device"] for row in rows.values()})
    days = sorted({row["measured"]["end"][:10] for row in rows.values()})
    return "\n".join([*lines, "", f"Measured {', '.join(days)} on: {'; '.join(devices)}."])


def _medians(times: dict[str, dict]) -> str:
    found = []
    for way, of in times.items():
        ordered = sorted(of["seconds"])
        middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
        found.append(f"{way} {middle:.3g}")
    return ", ".join(found)


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(item)}" for key, item in value.items())
    return "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def renewed(page: str, measured: str) -> str:
    """The page with the table between its marks."""
    before, mark, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise SystemExit(f"error: the page has no marks {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n{measured}\n{END}{after}"


def main(source: Path, page: Path) -> None:
    """Rewrite the page."""
    rows = json.loads(source.read_text(encoding="utf-8"))["rows"]
    text = renewed(page.read_text(encoding="utf-8"), table(rows))
    temporary = page.with_name(f".{os.getpid()}.{page.name}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(page)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
