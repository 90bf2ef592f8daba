"""A user's YAML file held against a schema: the first fault by its key, in one line."""

from pathlib import Path
from typing import Any

import jsonschema

from r3cnn.core.errors import UserError
from r3cnn.core.schema import read_yaml

LONGEST = 200  # letters of a fault: some quote a whole entry


def read_valid(path: Path, schema: Path) -> dict[str, Any]:
    """The content of `path`, which follows `schema`. Raises: UserError."""
    content: dict[str, Any] = read_yaml(path)
    validator = jsonschema.Draft202012Validator(read_yaml(schema))
    errors = sorted(validator.iter_errors(content), key=lambda error: [str(p) for p in error.path])
    if errors:
        key = ".".join(str(part) for part in errors[0].absolute_path) or "top level"
        # "Not one of" says little: the nearest of its reasons does.
        error = jsonschema.exceptions.best_match([errors[0]])
        raise UserError(f"{path}: {key}: {' '.join(error.message.split())[:LONGEST]}")
    return content
