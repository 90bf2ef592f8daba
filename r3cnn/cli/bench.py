"""The command that compares the speed of implementations."""

from pathlib import Path

import click

from ..core.errors import UserError
from .common import FILE, require_writable

SIDES = (64, 4096)  # pixels that generated images can have
EXPECTED_SIZE = (
    f"expected WIDTHxHEIGHT, whole pixels from {SIDES[0]} to {SIDES[1]}, such as 1333x800"
)


@click.command()
@click.argument("rows", metavar="[ROW|gpu]...", nargs=-1)
@click.option(
    "--out", required=True, type=FILE, help="JSON file to update; other rows in it are kept."
)
@click.option(
    "--list", "listed", is_flag=True, help="Print the tables in the file without measuring."
)
@click.option(
    "--models",
    help="For gpu: trainings, separated by commas; HTC is always measured, too. "
    "Default: all architectures.",
)
@click.option("--size", help="For gpu: image size. Default on a GPU: 1333x800.")
@click.option("--scale", help="For gpu: scale of the networks. Default on a GPU: paper.")
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    help="For gpu: timed training steps per round. Default: 10.",
)
def bench(rows: tuple[str, ...], out: Path, listed: bool, **of_gpu: str | int | None) -> None:
    """Compare the speed of alternative implementations.

    Each row times two implementations of the same work in turn and prints the ratio. Default: all rows.

    `gpu` measures the paper's columns at full size instead: memory, step time and images per second. Without
    a GPU it requires --size and --scale, for a trial run.

    \b
    Examples:
      python -m r3cnn bench --out bench.json
      python -m r3cnn bench predict-advanced score --out bench.json
      python -m r3cnn bench gpu --models mask_1x,r3_naive_inc --out bench-gpu.json
      python -m r3cnn bench gpu --list --out bench-gpu.json
    """
    given = {name: value for name, value in of_gpu.items() if value is not None}
    _require_names(rows, given)
    if listed:
        click.echo(_tables(rows, out))
        return
    require_writable(out)
    if "gpu" in rows:
        click.echo(_on_gpu(out, given))
        return
    from ..bench.rows import ROWS, measure

    click.echo(measure(rows or ROWS, out))


def _require_names(rows: tuple[str, ...], of_gpu: dict) -> None:
    from ..bench.rows import ROWS
    from ..core.schema import choice

    if "gpu" in rows:
        if len(rows) > 1:
            raise UserError(f"bench: gpu cannot be combined with rows, found {' '.join(rows)}")
        return
    for name in rows:
        if name not in ROWS:
            raise UserError(f"bench: unknown row {name}; {choice(name, [*ROWS, 'gpu'])}")
    for name in of_gpu:
        raise UserError(f"bench: --{name} is only for gpu; use `bench gpu`, or remove --{name}")


def _tables(rows: tuple[str, ...], out: Path) -> str:
    """The file as it is: its rows' table, and that of the models measured on a GPU."""
    from ..bench import gpu_table, table

    if out.is_dir():
        raise UserError(f"--out {out}: a folder, expected the JSON file to print")
    content = table.read(out)
    if "gpu" in rows and "models" not in content:
        raise UserError(f"{out}: contains no results of `bench gpu`; measure first, without --list")
    found = []
    if "gpu" not in rows and (content["rows"] or "models" not in content):
        found.append(table.render(content))
    if "models" in content:
        found.append(gpu_table.render(content))
    return "\n\n".join(found)


def _on_gpu(out: Path, given: dict) -> str:
    settings = dict(given)
    if "models" in given:
        settings["models"] = _names(given["models"])
    if "size" in given:
        settings["size"] = _size(given["size"])
    from ..bench.gpu import measure

    return measure(out, **settings)


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if "" in names:
        raise UserError(f"--models {text!r}: an empty name; separate trainings by one comma each")
    return names


def _size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(part) for part in text.split("x"))
    except ValueError:
        raise UserError(f"--size {text}: {EXPECTED_SIZE}") from None
    if not all(SIDES[0] <= side <= SIDES[1] for side in (width, height)):
        raise UserError(f"--size {text}: {EXPECTED_SIZE}")
    return width, height
