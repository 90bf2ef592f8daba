"""Write the measured table of docs/speed.md from the file of `make bench`.

python scripts/speed_table.py measured/bench-cpu.json docs/speed.md
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from bench_coco import ROWS as OF_COCO
from page_parts import (
    renewed,
    write,
)

from r3cnn.bench.rows import ROWS
from r3cnn.bench.table import (
    BESIDE,
    read,
    verdict,
)
from r3cnn.core.errors import UserError

LIST = ("planning", "harness", *OF_COCO, *ROWS)
SHORT = 7  # digits of a commit
VERDICTS = {"missed": "**missed**"}


def table(rows: Mapping[str, dict]) -> str:
    """One line a row; what else was found stands in the last column. Below it where the rows come from."""
    lines = [
        "| row | ratio | of CPU time | aim | | seconds, medians | also |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        also = "; ".join(
            f"{key.replace('_', ' ')}: {_shown(row[key])}"
            for key in row
            if key not in (*BESIDE, "seconds_aim")
        )
        found = verdict(row)
        cells = (
            *(f"`{name}`", f"{row['ratio']:.3f}", _shown(row.get("cpu_ratio")), _aims(row)),
            *(VERDICTS.get(found, found), _medians(row.get("times", {})), also),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *origins(rows)])


def origins(rows: Mapping[str, dict]) -> list[str]:
    """Days, devices and commits of the rows, those of one commit together; rows that are not there."""
    days = sorted({row["measured"]["end"][:10] for row in rows.values()})
    groups: dict[tuple[str, str], list[str]] = {}
    for name, row in rows.items():
        commit = _short(row["measured"].get("git_commit"))
        groups.setdefault((row["measured"]["device"], commit), []).append(f"`{name}`")
    lines = [f"Measured {', '.join(days)}:", ""] if rows else []
    lines += [
        f"- on {device}, {commit}: {', '.join(of)}" for (device, commit), of in groups.items()
    ]
    missing = [f"`{name}`" for name in LIST if name not in rows]
    return [*lines, "", f"Not measured: {', '.join(missing)}."] if missing else lines


def _short(commit: str | None) -> str:
    if not commit:
        return "commit not recorded"
    number, *dirty = commit.split("-")
    return f"commit `{number[:SHORT]}`" + (" with uncommitted changes" if dirty else "")


def _aims(row: Mapping) -> str:
    limits = [_shown(row.get("aim"))]
    if row.get("seconds_aim") is not None:
        limits.append(f"{_shown(row['seconds_aim'])} s")
    return " and ".join(filter(None, limits))


def _medians(times: Mapping[str, dict]) -> str:
    found = []
    for way, of in times.items():
        ordered = sorted(of["seconds"])
        middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
        found.append(f"{way} {middle:.3g}")
    two = any(len(of["seconds"]) == 2 for of in times.values())
    return ", ".join(found) + (" (means of two)" if two else "")


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(item)}" for key, item in value.items())
    return "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def main(source: Path, page: Path) -> None:
    """Rewrite the page. Raises UserError for a file that is not one of `bench`."""
    if not source.is_file():
        raise UserError(f"{source}: no such file; run `make bench`")
    if not page.is_file():
        raise UserError(f"{page}: no such file; expected the page that holds the table")
    rows = read(source)["rows"]
    for name, row in rows.items():
        if not {"device", "end"} <= set(row.get("measured") or ()):
            raise UserError(
                f"{source}: row {name}: measured: expected its device and end; measure it again"
            )
    try:
        text = renewed(page.read_text(encoding="utf-8"), {"measured": lambda: table(rows)})
    except ValueError as error:
        raise UserError(f"{page}: {error}") from None
    write(page, text)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except UserError as error:
        sys.exit(f"error: {error}")
