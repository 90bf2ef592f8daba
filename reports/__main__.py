"""The command line: python -m reports register|html|tables|figure2|claims|compare|keep|pictures|tensorboard."""

import functools
import io
import logging
import re
import sys
from collections.abc import Callable
from pathlib import Path

import click

from r3cnn.core.errors import UserError
from r3cnn.core.utf8 import run_in_utf8

from .claims.spec import DEFAULT_CLAIMS
from .tables.spec import DEFAULT_TABLES

# The heavy imports are inside the commands, so that --help answers at once.

COMMANDS = (
    *("register", "html", "tables", "figure2", "claims", "compare", "keep", "pictures"),
    "tensorboard",
)
_FOLDER = click.Path(path_type=Path, file_okay=False)
_results = click.option(
    "--results", type=_FOLDER, required=True, help="Results folder of a run: results/<name>."
)
_out = click.option("--out", type=_FOLDER, required=True, help="Folder to write to.")
_tables = click.option(
    "--tables",
    type=click.Path(path_type=Path, dir_okay=False),
    default=DEFAULT_TABLES,
    help="Which evaluations are in which rows. Default: reports/tables.yaml.",
)
_claims = click.option(
    "--claims",
    type=click.Path(path_type=Path, dir_okay=False),
    default=DEFAULT_CLAIMS,
    help="The claims and their limits. Default: reports/claims.yaml.",
)
_no_tables = click.option(
    "--no-tables",
    is_flag=True,
    help="Use no tables file: all rows are listed in the table of other rows.",
)
_catalogue = click.option(
    "--catalogue", metavar="FILE", help="Your own catalogue, for the commands that the page shows."
)


def _one_line_errors(command: Callable) -> Callable:
    @functools.wraps(command)
    def wrapped(*args: object, **kwargs: object) -> None:
        try:
            for path in command(*args, **kwargs):
                click.echo(path)
        except UserError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(1)

    return wrapped


class _Commands(click.Group):
    """Commands in the order of COMMANDS; a mistake is spelled `error: ...`, as those of r3cnn are."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self.commands, key=COMMANDS.index)

    def main(self, *args: object, standalone_mode: bool = True, **options: object):
        if not standalone_mode:
            return super().main(*args, standalone_mode=False, **options)
        try:
            code = super().main(*args, standalone_mode=False, **options)
        except click.ClickException as error:
            text = io.StringIO()
            error.show(file=text)
            click.echo(
                re.sub("^Error: ", "error: ", text.getvalue(), flags=re.M), nl=False, err=True
            )
            sys.exit(error.exit_code)
        except click.Abort:
            sys.exit(1)
        sys.exit(code if isinstance(code, int) else 0)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExample:\n  python -m reports html --results results/smoke --out results/smoke/report",
)
@click.version_option(package_name="r3cnn")
@click.option("-v", "--verbose", is_flag=True, help="Log the files that are read.")
def cli(verbose: bool) -> None:
    """Make tables, figures and a report page from result files.

    Prints the names of the files that were written.
    """
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(message)s"
    )
    # fontTools logs every table of every font at INFO, a level that r3cnn may have set
    logging.getLogger("fontTools").setLevel(logging.WARNING)


@cli.command(
    "tables",
    epilog="\b\nExample:\n  python -m reports tables --only table2 --results results/mini --out /tmp/t",
)
@_tables
@click.option("--only", multiple=True, metavar="NAME", help="Write this table only. Repeatable.")
@_results
@_out
@_one_line_errors
def tables_command(tables: Path, only: tuple[str, ...], results: Path, out: Path) -> list[Path]:
    """Write all tables as CSV, Markdown and LaTeX.

    Rows that no table names are written as the table `other`.
    """
    from .results.load import load_results
    from .results.provenance import present_sources
    from .results.setting import setting_of
    from .tables.build import build_tables
    from .tables.files import write_tables
    from .tables.spec import load_spec

    spec = load_spec(tables)
    loaded = load_results(results)
    built = build_tables(spec, loaded, setting_of(loaded), present_sources())
    names = [table.name for table in built]
    for name in only:
        if name not in names:
            raise UserError(f"--only {name}: {tables} has no such table; it has {names}")
    return write_tables([table for table in built if not only or table.name in only], out)


@cli.command(
    "figure2",
    epilog="\b\nExample:\n  python -m reports figure2 --results results/mini --out /tmp/f",
)
@_results
@_out
@click.option(
    "--assignment",
    type=click.Choice(["box", "mask"]),
    default="box",
    show_default=True,
    help="Count before (box) or after (mask) the refinement of each loop.",
)
@click.option(
    "--view",
    type=click.Choice(["candidates", "sampled", "positives"]),
    default="candidates",
    show_default=True,
    help="Boxes to count.",
)
@click.option(
    "--iou-from",
    type=click.FloatRange(0, 0.95),
    default=0.5,
    show_default=True,
    help="Lower edge of the first bin.",
)
@_one_line_errors
def figure2_command(
    results: Path, out: Path, assignment: str, view: str, iou_from: float
) -> list[Path]:
    """Draw Figure 2 as SVG, PDF and PNG.

    It shows the IoU of the training samples in each loop.
    """
    from .figures.figure2 import figure2_data, write_figure2
    from .results.load import load_results
    from .results.setting import setting_of

    loaded = load_results(results)
    data = figure2_data(loaded, setting_of(loaded), assignment, view, iou_from)
    return write_figure2(data, out)


@cli.command(
    "claims",
    epilog="\b\nExample:\n  python -m reports claims --results results/mini --out /tmp/c",
)
@_tables
@_no_tables
@_claims
@_results
@_out
@_one_line_errors
def claims_command(
    tables: Path, no_tables: bool, claims: Path, results: Path, out: Path
) -> list[Path]:
    """Write claims.csv: which claims of the paper hold, and why."""
    from .claims.judge import judge, write_claims
    from .claims.spec import load_claims
    from .results.load import load_results
    from .tables.spec import Spec, load_spec

    spec = Spec({}, {}) if no_tables else load_spec(tables)
    return [write_claims(judge(load_claims(claims), spec, load_results(results)), out)]


@cli.command(
    "register",
    epilog="\b\nExample:\n  python -m reports register --results results/mini",
)
@_claims
@_results
@_one_line_errors
def register_command(claims: Path, results: Path) -> list[Path]:
    """Register the claims before their trainings start.

    Writes the hash of each claim to claims.json. If a training of a claim has already started, its earlier hash is
    kept, and the report says that the claim was changed.
    """
    from .claims.registered import register
    from .claims.spec import load_claims

    return [register(load_claims(claims), results)]


@cli.command(
    "html",
    epilog="\b\nExample:\n  python -m reports html --results results/smoke --out results/smoke/report",
)
@_tables
@_no_tables
@_claims
@_catalogue
@_results
@_out
@_one_line_errors
def html_command(
    tables: Path, no_tables: bool, claims: Path, catalogue: str | None, results: Path, out: Path
) -> list[Path]:
    """Write the report page and all its tables and figures."""
    from .claims.spec import load_claims
    from .page.html import build_report, write_report
    from .results.load import load_results
    from .results.provenance import present_sources
    from .tables.spec import Spec, load_spec

    spec = Spec({}, {}) if no_tables else load_spec(tables)
    loaded = load_results(results, catalogue)
    return write_report(
        build_report(spec, load_claims(claims), loaded, present_sources()), loaded, out
    )


@cli.command(
    "compare",
    epilog="\b\nExample:\n  python -m reports compare results/smoke again/smoke",
)
@click.argument("first", type=_FOLDER)
@click.argument("second", type=_FOLDER)
@click.option(
    "--metric", "metrics", multiple=True, help="Metric to compare. Repeatable. Default: both APs."
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="CSV file to write.")
@_one_line_errors
def compare_command(
    first: Path, second: Path, metrics: tuple[str, ...], out: Path | None
) -> list[str | Path]:
    """Compare two results folders.

    Prints second minus first, with 95 % intervals.
    """
    from .results.compare import compare, to_text, write_comparison
    from .results.load import load_results

    rows = compare(load_results(first), load_results(second), metrics or ("bbox.AP", "segm.AP"))
    lines: list[str | Path] = [to_text(rows, str(first), str(second))]
    return [*lines, write_comparison(rows, out)] if out else lines


@cli.command(
    "keep",
    epilog="\b\nExample:\n  python -m reports keep --results results/mini --out measured/mini",
)
@_results
@_out
@click.option(
    "--packed",
    is_flag=True,
    help="Write a single file, kept.zip: resamples rounded to 0.01 points of AP, none of average recall.",
)
@_one_line_errors
def keep_command(results: Path, out: Path, packed: bool) -> list[Path]:
    """Copy the small files of a run, enough for its report."""
    from .results.keep import keep, keep_packed

    return (keep_packed if packed else keep)(results, out)


@cli.command(
    "pictures",
    epilog="\b\nExample:\n  python -m reports pictures --results results/mini --out docs/pictures",
)
@_tables
@click.option("--table", default="table1", show_default=True, help="Table to draw.")
@click.option(
    "--costs", is_flag=True, help="Write ap_over_parameters.svg and ap_over_cost.svg instead."
)
@_results
@_out
@_one_line_errors
def pictures_command(tables: Path, table: str, costs: bool, results: Path, out: Path) -> list[Path]:
    """Write figure2.png and <table>.png for the README.

    Chromium renders them from the page.
    """
    from .page.pictures import write_costs, write_pictures

    return write_costs(results, out) if costs else write_pictures(tables, table, results, out)


@cli.command(
    "tensorboard",
    epilog="\b\nExample:\n  python -m reports tensorboard results/mini --out /tmp/events",
)
@click.argument("run", type=_FOLDER)
@click.option("--out", type=_FOLDER, help="Folder to write to. Default: RUN/tensorboard.")
@_one_line_errors
def tensorboard_command(run: Path, out: Path | None) -> list[Path]:
    """Write the logs of all trainings for TensorBoard.

    Losses and learning rates are by step, APs by epoch. Needs `pip install tensorboard`; then
    `tensorboard --logdir OUT` shows them.
    """
    from .results.load import load_results
    from .results.tensorboard import write_events

    return write_events(load_results(run), out or run / "tensorboard")


if __name__ == "__main__":
    run_in_utf8()
    cli(prog_name="python -m reports")
