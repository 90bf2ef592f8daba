"""The files of finished tables."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from r3cnn.core.files import write_if_changed

from .build import Table
from .latex import to_latex
from .render import to_csv, to_markdown

RENDERERS: Mapping[str, Callable[[Table], str]] = {
    "csv": to_csv,
    "md": to_markdown,
    "tex": to_latex,
}


def write_tables(tables: Iterable[Table], out: Path) -> list[Path]:
    """Write <table>.{csv,md,tex} into a folder. Raises: UserError."""
    return [
        write_if_changed(out / f"{table.name}.{suffix}", render(table))
        for table in tables
        for suffix, render in RENDERERS.items()
    ]
