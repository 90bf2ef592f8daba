"""Write files whole or not at all, with errors that name the file."""

import contextlib
import errno
import hashlib
import json
import os
import re
import uuid
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from .errors import UserError

NO_SPACE = {
    errno.ENOSPC: "make space on its disk",
    errno.EDQUOT: "make space in your quota",
    errno.EFBIG: "raise the limit of file sizes (ulimit -f)",
}
NO_ACCESS = {
    errno.EACCES: "change its permissions so that you can write there",
    errno.EPERM: "change its permissions so that you can write there",
    errno.EROFS: "choose a folder on a disk that can be written",
    errno.ENOTDIR: "remove the file: a folder must be there",
    errno.EEXIST: "remove the file: a folder must be there",
    errno.EISDIR: "remove the folder: a file must be there",
}
TEMPORARY = re.compile(r"\.[0-9a-f]{32}\..+")


@contextlib.contextmanager
def writing(path: Path, remedies: dict[int, str] = NO_SPACE) -> Iterator[None]:
    """Inside, an OSError whose number is in `remedies` becomes a UserError that names `path`."""
    try:
        yield
    except OSError as error:
        if error.errno not in remedies:
            raise
        raise UserError(
            f"{path}: cannot be written ({os.strerror(error.errno)}); "
            f"{remedies[error.errno]}, then run the same command again"
        ) from error


# Files of an open `together()` block: (temporary name, name that it gets at the end).
_waiting: ContextVar[list[tuple[Path, Path]] | None] = ContextVar("waiting", default=None)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name next to `path` (same suffix); on success it becomes `path`.

    After an error the temporary file is removed and an older `path` is left as it was. Raises UserError
    if the disk is full or the folder cannot be written; the latter at once.
    """
    path = Path(path)
    temporary = path.with_name(f".{uuid.uuid4().hex}.{path.name}")
    with writing(path, NO_ACCESS | NO_SPACE):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch(exist_ok=False)
    keep = False
    try:
        with writing(path):
            yield temporary
            _flush(temporary)
        if (waiting := _waiting.get()) is None:
            _rename(temporary, path)
        else:
            waiting.append((temporary, path))
            keep = True
    finally:
        if not keep:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Inside, files get their names at the end, in the order of writing; after an error none does.

    So a disk that fills up leaves a set of older files as it was.
    """
    waiting: list[tuple[Path, Path]] = []
    before = _waiting.set(waiting)
    try:
        yield
        for temporary, path in waiting:
            _rename(temporary, path)
    finally:
        _waiting.reset(before)
        for temporary, _ in waiting:
            temporary.unlink(missing_ok=True)


def _rename(temporary: Path, path: Path) -> None:
    with writing(path, NO_ACCESS | NO_SPACE):
        os.replace(temporary, path)
        _flush(path.parent)  # or the new name may be lost with the machine's power


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed writer left under a temporary name; for the folder's only writer."""
    for path in Path(folder).glob(".*"):
        if TEMPORARY.fullmatch(path.name):
            path.unlink()


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write `content` (text as UTF-8) to `path`; a reader sees the old or the new file only."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_if_changed(path: Path, content: str | bytes) -> Path:
    """`write_atomically`, but a file that holds the same bytes already keeps its date; returns `path`."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    if not (path.is_file() and path.read_bytes() == data):
        write_atomically(path, data)
    return path


def read_text(path: Path) -> str:
    """The text of a file in UTF-8. Raises UserError."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from error


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises UserError."""
    try:
        value = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path}: not JSON (line {error.lineno}: {error.msg}); delete it and make it again"
        ) from error
    if not isinstance(value, dict):
        raise UserError(f"{path}: found a {type(value).__name__}, expected a JSON object")
    return value


def write_json(path: Path, value: object, indent: int | None = 2) -> None:
    """Write `value` as JSON, atomically; NaN and infinities raise ValueError."""
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    write_atomically(path, text + "\n")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
