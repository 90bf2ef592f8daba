"""Names in the catalogue: unknown names, equal settings, the ids of a folder."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..core.errors import UserError
from ..core.schema import choice, shown


def names_in(folder: Path, suffix: str) -> list[str]:
    """Names of the files of a folder with a suffix; those that begin with _ are bases only."""
    return sorted(path.stem for path in folder.glob(f"[!_]*.{suffix}"))


def unknown_name(file: Path, key: str, kind: str, name: str, known: Iterable[str]) -> UserError:
    """The error for a name that is not among the known ones."""
    return UserError(f"{shown(file)}: {key}: unknown {kind} {name!r}; {choice(name, known)}")


def ordered(value: Any) -> Any:
    """`value` with the keys of every mapping in order, so that equal settings look equal."""
    if isinstance(value, dict):
        return {key: ordered(value[key]) for key in sorted(value)}
    return [ordered(item) for item in value] if isinstance(value, list) else value
