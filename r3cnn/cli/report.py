"""The door to the reports: their command line, found by its entry point and imported only when called."""

from importlib.metadata import entry_points

import click

from ..core.errors import UserError

GROUP = "r3cnn.commands"


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def report(arguments: tuple[str, ...]) -> None:
    """Make tables, figures and the report page from result files.

    \b
    Example:
      r3cnn report html --results results/smoke --out results/smoke/report
    """
    found = tuple(entry_points(group=GROUP, name="report"))
    if not found:
        raise UserError(
            "report: the `report` command is not installed; install the project (`make setup`), or run "
            "`python -m reports` in the checkout"
        )
    found[0].load()(args=list(arguments) or ["--help"], prog_name="r3cnn report")
