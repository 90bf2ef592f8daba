"""The command line. Heavy imports are inside the commands, so that --help answers at once."""

import io
import logging
import re
import sys
from collections.abc import Sequence

import click

from ..core.errors import UserError
from ..core.utf8 import run_in_utf8
from .bench import bench
from .common import InOrder
from .data import data
from .evaluation import measure, predict, score
from .pretrain import pretrain
from .report import report
from .runs import doctor, estimate, sources, status, verify_kept
from .training import convert, resolve, reuse, train, weights
from .use import export, results, show

INTERRUPTED = 130  # as shells say of SIGINT


class Group(InOrder):
    """Commands that run in UTF-8; a mistake is one line `error: ...`, exit code 1 (2: unreadable arguments)."""

    def main(
        self,
        args: Sequence[str] | None = None,
        *rest: object,
        standalone_mode: bool = True,
        **options: object,
    ):
        if args is None:  # a command line, not a call of a test
            run_in_utf8()
        if not standalone_mode:
            return super().main(args, *rest, standalone_mode=False, **options)
        try:
            code = super().main(args, *rest, standalone_mode=False, **options)
        except click.ClickException as error:
            text = io.StringIO()
            error.show(file=text)
            click.echo(
                re.sub("^Error: ", "error: ", text.getvalue(), flags=re.M), nl=False, err=True
            )
            sys.exit(error.exit_code)
        except click.Abort as error:
            # click takes an EOFError for the end of the terminal's input
            if isinstance(error.__cause__, EOFError):
                raise error.__cause__ from None
            click.echo("error: interrupted", err=True)
            sys.exit(INTERRUPTED)
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: click.Context):
        try:
            return super().invoke(ctx)
        except UserError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(1)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="r3cnn")
@click.option("-v", "--verbose", is_flag=True, help="Log debug messages.")
def main(verbose: bool) -> None:
    """Train, predict, score and measure R3-CNN and the compared models.

    \b
    Example, one row of the paper by hand:
      python -m r3cnn data shapes --scale smoke --out shapes
      python -m r3cnn data check --data shapes --out data.json
      python -m r3cnn resolve --training r3_naive_inc --scale smoke --seed 0 --data data.json --out config.py
      python -m r3cnn train --config config.py --out trained --state state
      python -m r3cnn predict --config config.py --checkpoint trained/checkpoint.pth --loops 1 2 3 --out p.parquet
    """
    level = logging.DEBUG if verbose else logging.INFO
    logging.basicConfig(
        level=level, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )


# In the order of the work.
COMMANDS = (
    doctor,
    data,
    pretrain,
    estimate,
    resolve,
    train,
    weights,
    reuse,
    status,
    predict,
    score,
    measure,
    report,
    show,
    results,
    export,
    convert,
    verify_kept,
    sources,
    bench,
)
for command in COMMANDS:
    main.add_command(command)
