"""The file of measured rows, and the table that is printed.

python -m r3cnn.bench.table FILE NAME < row.json    adds a row that another program measured
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from ..core import provenance
from ..core.errors import UserError
from ..core.files import write_json
from ..core.layout import PACKAGE
from ..weights import device

NEEDED = {"what": str, "against": str, "ratio": (int, float)}
BESIDE = (*NEEDED, "aim", "cpu_ratio", "times", "measured")


class LeftOut(UserError):
    """Why a row cannot be measured on this machine."""


def read(path: Path) -> dict:
    """{"rows": {name: row}} of an earlier run; no rows if there is no file. Raises UserError."""
    if not path.is_file():
        return {"rows": {}}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        rows = content["rows"].items()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not a file of `bench` ({error}); remove it") from error
    for name, row in rows:
        for key, kind in NEEDED.items():
            if not isinstance(row, dict) or not isinstance(row.get(key), kind):
                expected = "text" if kind is str else "a number"
                raise UserError(
                    f"{path}: row {name}: {key}: expected {expected} in a row of `bench`; remove the file, "
                    "or that row from it, and measure again"
                )
    return content


def verdict(row: Mapping) -> str:
    """Whether its aims are "met" or "missed", that of the ratio and that of the seconds; "" without any."""
    pairs = [(row["ratio"], row.get("aim"))]
    pairs.append((row.get("seconds_of_the_larger"), row.get("seconds_aim")))
    judged = [found <= aim for found, aim in pairs if found is not None and aim is not None]
    return ("met" if all(judged) else "missed") if judged else ""


def add(path: Path, rows: Mapping[str, dict]) -> dict:
    """Write rows into the file, each with what measured it; rows of other names stay. Returns the content."""
    content = read(path)
    origin = {**device.record("training"), "git_commit": _commit(path), "end": provenance.now()}
    for name, row in rows.items():
        content["rows"][name] = {**row, "measured": origin}
    write_json(path, content)
    return content


def _commit(path: Path) -> str | None:
    """The commit, not `-dirty` for the file of rows itself, which changes as rows join it."""
    commit = provenance.git_commit()
    if not (commit or "").endswith("-dirty"):
        return commit
    top = Path(_git("rev-parse", "--show-toplevel").strip())
    changed = {top / name for name in _git("diff", "--name-only", "-z", "HEAD").split("\0") if name}
    return commit if changed - {path.resolve()} else commit.removesuffix("-dirty")


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(PACKAGE), *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout


def render(content: dict) -> str:
    """One line a row: what, the ratio, the aim, whether it is met; below it what else was found."""
    lines = [f"{'row':20} {'ratio':>7} {'cpu':>7} {'aim':>6}        what / against"]
    for name, row in content["rows"].items():
        aim = row.get("aim")
        limit = "" if aim is None else f"{aim:.2f}"
        busy = f"{row['cpu_ratio']:.3f}" if row.get("cpu_ratio") is not None else "-"
        lines.append(
            f"{name:20} {row['ratio']:7.3f} {busy:>7} {limit:>6} {verdict(row):6} "
            f"{row['what']} / {row['against']}"
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


def main(arguments: list[str]) -> None:
    """Add the row on the input to a file, with what measured it, as the other rows have it."""
    if len(arguments) != 2:
        sys.exit(__doc__)
    try:
        add(Path(arguments[0]), {arguments[1]: json.load(sys.stdin)})
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
