"""YAML files that follow a schema, and one-line errors that say what was expected instead."""

import difflib
import functools
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from .errors import UserError
from .plain_yaml import PlainLoader


def read_yaml(path: Path) -> Any:
    """The value in a YAML file, without YAML's silent traps. Raises UserError."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=PlainLoader)
    except OSError as error:
        raise UserError(f"{shown(path)}: cannot read this file: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{shown(path)}: expected YAML in UTF-8") from None
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        problem = error.problem or error.context or ""
        remedy = "; indent with spaces, not tabs" if r"'\t'" in problem else ""
        raise UserError(f"{shown(path)}: {line}{problem}{remedy}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{shown(path)}: invalid YAML: {' '.join(str(error).split())}") from None


def read_checked(path: Path, schema: Path) -> dict[str, Any]:
    """The content of a YAML file that follows `schema`. Raises UserError."""
    content: dict[str, Any] = read_yaml(path)
    fault = min(_validator(schema).iter_errors(content), key=_rank, default=None)
    if fault is not None:
        raise UserError(f"{shown(path)}: {_explained(fault)}")
    return content


def choice(name: str, known: Iterable[str]) -> str:
    """The allowed names, and the one that was probably meant."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1)
    return f"expected one of {', '.join(known)}" + (f" (did you mean {close[0]}?)" if close else "")


def shown(path: Path) -> str:
    """`path` relative to where the user stands if it lies below, else as it is."""
    absolute = Path(os.path.abspath(path))
    here = Path.cwd()
    return str(absolute.relative_to(here) if absolute.is_relative_to(here) else path)


@functools.cache
def _validator(schema: Path) -> Any:
    """A validator for which 1.0 and true are no whole numbers."""
    base = jsonschema.Draft202012Validator
    strict = base.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    )
    content = yaml.safe_load(schema.read_text(encoding="utf-8"))
    extend: Any = jsonschema.validators.extend  # untyped in its stubs
    return extend(base, type_checker=strict)(content)


def _rank(fault: jsonschema.ValidationError) -> tuple[list[str], bool]:
    """Where a fault stands; a misspelled key goes before the key that is missing for it."""
    return [str(step) for step in fault.absolute_path], fault.validator == "required"


def _explained(fault: Any) -> str:
    """`key: what was found; what was expected`, from the schema's own description."""
    steps = [step for step in fault.absolute_path if isinstance(step, str)]
    key = ".".join(steps) or "the file"
    expected = fault.schema.get("description", f"{fault.validator} {fault.validator_value}")
    if fault.validator == "additionalProperties":
        known = fault.schema.get("properties", {})
        name = next(name for name in fault.instance if name not in known)
        return f"{'.'.join([*steps, name])}: unknown key; {choice(name, known)}"
    if fault.validator == "required":
        missing = next(name for name in fault.validator_value if name not in fault.instance)
        return f"{key}: {missing} is missing; expected {expected}"
    found = json.dumps(fault.instance, default=str)
    found = found if len(found) <= 80 else found[:77] + "..."
    return f"{key}: found {found}; expected {expected}"
