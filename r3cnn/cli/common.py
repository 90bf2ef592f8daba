"""Shared by several commands: argument types, the reading of their inputs, and a quiet mmdet."""

import contextlib
import importlib
import io
import itertools
import json
import logging
import re
import uuid
from pathlib import Path

import click

from ..core.errors import UserError
from ..core.files import NO_ACCESS, NO_SPACE, writing

log = logging.getLogger(__name__)
FILE = click.Path(path_type=Path)
OPTION = re.compile(r"--?[a-z]")
SPLIT = {"sha256", "image_count", "image_bytes"}  # what a config takes of each split in data.json
LAUNCHER = click.option(
    "--launcher", type=click.Choice(["none", "pytorch", "slurm"]), default="none", show_default=True
)


def import_mmdet() -> None:
    """Import mmdet's data sets, which print that an optional package (OneDL) is missing, without that line."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            importlib.import_module("mmdet.datasets.transforms")
    except ImportError as error:
        raise UserError(
            f"mmdet: cannot be imported ({error}); see what is missing with `python -m r3cnn doctor`"
        ) from error


class InOrder(click.Group):
    """A group that lists its commands in the order in which they were added, not by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


class Loops(click.Command):
    """A command whose --loops takes several values: --loops 1 2 3."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        spread: list[str] = []
        several = False
        for arg, following in itertools.zip_longest(args, args[1:]):
            if arg == "--loops":
                several = True
                if following is None or OPTION.match(following):
                    raise click.BadOptionUsage(arg, f"Option {arg!r} requires an argument.", ctx)
            elif several and not OPTION.match(arg):
                spread += ["--loops", arg]
            else:
                several = False
                spread.append(arg)
        return super().parse_args(ctx, spread)


def entry_of(catalogue: Path | None, training: str, scale: str):
    """The catalogue, a training of it, and the scale."""
    from ..catalogue import load_catalogue, load_scale
    from ..core.schema import choice

    known = load_catalogue(catalogue)
    if training not in known.trainings:
        raise UserError(f"--training {training}: unknown id; {choice(training, known.trainings)}")
    return known, known.trainings[training], load_scale(scale)


def read_checked_data(path: Path) -> dict:
    """The content of data.json. Raises UserError."""
    remedy = "make it with `python -m r3cnn data check`"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); {remedy}") from error
    expected: dict[str, type] = {"classes": list, "root": str, "splits": dict}
    if not isinstance(content, dict) or not expected.keys() <= content.keys():
        raise UserError(f"{path}: expected the keys {', '.join(expected)}; {remedy}")
    for key, kind in expected.items():
        if not isinstance(content[key], kind):
            raise UserError(
                f"{path}: {key}: found {content[key]!r}, expected a {kind.__name__}; {remedy}"
            )
    for name, split in content["splits"].items():
        if not isinstance(split, dict) or not split.keys() >= SPLIT:
            raise UserError(f"{path}: splits.{name}: expected {', '.join(sorted(SPLIT))}; {remedy}")
    return content


def renamed(old: str, old_value: str | None, new: str, value: str | None) -> str | None:
    """The value of an option that has a new name; the old one still works, with a warning."""
    if old_value is None:
        return value
    if value is not None:
        raise UserError(f"{old}: is the old name of {new}, and both are given; remove {old}")
    log.warning("%s is now called %s; the old name will be removed in version 0.3", old, new)
    return old_value


def require_writable(out: Path) -> None:
    """Raise UserError where the file cannot be written, before hours are spent on what goes into it."""
    if out.is_dir():
        raise UserError(f"--out {out}: a folder, expected a file; name one in it")
    if not out.parent.is_dir():
        raise UserError(f"--out {out}: no folder {out.parent}; make it, or name another file")
    with writing(out, NO_ACCESS | NO_SPACE):
        trial = out.with_name(f".{uuid.uuid4().hex}.{out.name}")
        trial.touch()
        trial.unlink()
