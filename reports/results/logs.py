"""The logs of a training: a line a step, and a line a validated epoch."""

import json
from pathlib import Path

import pandas as pd

from r3cnn.core.errors import UserError
from r3cnn.core.files import read_text

# What a step's line says of the step itself; all else is a curve.
NOT_CURVES = {"epoch", "iteration", "seconds", "memory_mib"}


def json_lines(path: Path, expected: tuple[str, ...]) -> pd.DataFrame | None:
    """The objects of a JSON-lines file; None if there is no file or nothing in it."""
    if not path.is_file():
        return None
    rows = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(
                f"{path}: line {number}: not JSON ({error.msg}); delete the file and train again"
            ) from error
        if not isinstance(row, dict) or not all(name in row for name in expected):
            raise UserError(f"{path}: line {number}: expected an object with {list(expected)}")
        rows.append(row)
    return pd.DataFrame(rows) if rows else None
