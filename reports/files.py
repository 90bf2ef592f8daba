"""Reading and writing files: whole or not at all, and errors that name the file."""

import contextlib
import json
import os
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import yaml

from reports.errors import ReportError


def read_text(path: Path) -> str:
    """The text of a file. Raises: ReportError."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ReportError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ReportError(f"{path}: cannot be read: {error}") from error


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises: ReportError."""
    try:
        value = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise ReportError(
            f"{path}: not JSON (line {error.lineno}: {error.msg}); delete it and make it again"
        ) from error
    if not isinstance(value, dict):
        raise ReportError(f"{path}: found a {type(value).__name__}, expected a JSON object")
    return value


class _UniqueKeys(yaml.SafeLoader):
    """A loader that refuses a key given twice, which YAML would take silently."""


def _unique_mapping(loader: _UniqueKeys, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key!r} stands here twice", key_node.start_mark
            )
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def read_yaml(path: Path) -> Any:
    """The value in a YAML file. Raises: ReportError."""
    try:
        return yaml.load(read_text(path), Loader=_UniqueKeys)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise ReportError(f"{path}: not YAML (line {line}: {error.problem})") from error
    except yaml.YAMLError as error:
        raise ReportError(f"{path}: not YAML ({' '.join(str(error).split())})") from error


_waiting: ContextVar[list[tuple[Path, Path]] | None] = ContextVar("waiting", default=None)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ReportError(
            f"{path}: cannot be written ({error.strerror}); make space, or choose another --out, and "
            "run again"
        ) from error


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Inside, files get their names at the end, in the order of writing; after an error none does.

    So a disk that fills up leaves an older report as it was.
    """
    waiting: list[tuple[Path, Path]] = []
    before = _waiting.set(waiting)
    try:
        yield
        for temporary, path in waiting:
            with _writing(path):
                os.replace(temporary, path)
    finally:
        _waiting.reset(before)
        for temporary, _ in waiting:
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a file under a temporary name, then move it into place. Raises: ReportError.

    A file that holds the same bytes already is left alone, so that its date stays.
    """
    if path.is_file() and path.read_bytes() == content:
        return path
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    waiting = _waiting.get()
    try:
        with _writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(content)
            if waiting is None:
                os.replace(temporary, path)
    except ReportError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    if waiting is not None:
        waiting.append((temporary, path))
    return path


def write_text(path: Path, content: str) -> Path:
    """Write a text file in UTF-8 with plain line ends. Raises: ReportError."""
    return write_bytes(path, content.encode("utf-8"))
