"""The command that measures speed side by side."""

from pathlib import Path

import click

from .errors import UserError

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("rows", metavar="[ROW|gpu]...", nargs=-1)
@click.option("--out", required=True, type=FILE, help="JSON file; rows of other names stay in it.")
@click.option(
    "--list", "listed", is_flag=True, help="Print the table of the file, measure nothing."
)
@click.option(
    "--models", help="For gpu: trainings, separated by commas; all architectures without it."
)
@click.option("--size", default="1333x800", show_default=True, help="For gpu: of the images.")
@click.option("--scale", default="paper", show_default=True, help="For gpu: of the networks.")
@click.option(
    "--steps", default=10, show_default=True, type=click.IntRange(min=1), help="For gpu: timed."
)
def bench(
    rows: tuple[str, ...],
    out: Path,
    listed: bool,
    models: str | None,
    size: str,
    scale: str,
    steps: int,
) -> None:
    """Time two ways of the same work in turn and print their ratios; all rows, or those named.

    `gpu` measures the paper's columns at full size instead: memory, step time, images a second.

    \b
    Examples:
      python -m r3cnn bench --out bench.json
      python -m r3cnn bench predict-advanced score --out bench.json
      python -m r3cnn bench gpu --models mask_1x,htc --out bench-gpu.json
    """
    from .bench.rows import ROWS, measure
    from .bench.table import read, render
    from .schema import choice

    if "gpu" in rows:
        if len(rows) > 1:
            raise UserError(f"bench: gpu stands alone, found {' '.join(rows)}")
        from .bench.gpu import measure as measure_gpu

        click.echo(measure_gpu(out, models and models.split(","), _size(size), scale, steps))
        return
    for name in rows:
        if name not in ROWS:
            raise UserError(f"bench: unknown row {name}; {choice(name, [*ROWS, 'gpu'])}")
    click.echo(render(read(out)) if listed else measure(rows or ROWS, out))


def _size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(part) for part in text.split("x"))
    except ValueError:
        raise UserError(f"--size {text}: expected WIDTHxHEIGHT, such as 1333x800") from None
    return width, height
