"""The command line. Heavy imports stand inside the commands, so that --help answers at once."""

import json
import logging
import re
import sys
from pathlib import Path

import click

from .cli_bench import bench
from .cli_data import coco, reuse, trunk, weights
from .cli_run import estimate, status
from .cli_use import export, show
from .errors import UserError
from .stopping import CHECKPOINT_MINUTES

FILE = click.Path(path_type=Path)
OPTION = re.compile(r"--?[a-z]")
log = logging.getLogger(__name__)


class Group(click.Group):
    """Commands whose UserError is one line on the error stream and exit code 1."""

    def invoke(self, ctx: click.Context):
        try:
            return super().invoke(ctx)
        except UserError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(1)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-v", "--verbose", is_flag=True, help="Log more.")
def main(verbose: bool) -> None:
    """Train, predict, score and measure R3-CNN and what it is compared with.

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


class Loops(click.Command):
    """A command whose --loops takes several values: --loops 1 2 3."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        spread, several = [], False
        for arg in args:
            if arg == "--loops":
                several = True
            elif several and not OPTION.match(arg):
                spread += ["--loops", arg]
            else:
                several = False
                spread.append(arg)
        return super().parse_args(ctx, spread)


@main.group()
def data() -> None:
    """Make, fetch and check data."""


main.add_command(status)
main.add_command(bench)
main.add_command(estimate)
main.add_command(weights)
main.add_command(show)
main.add_command(export)
main.add_command(reuse)
data.add_command(coco)
data.add_command(trunk)


@data.command()
@click.option("--scale", required=True, help="Name or file of a scale with generated data.")
@click.option("--out", required=True, type=FILE, help="Folder to write, in COCO's layout.")
def shapes(scale: str, out: Path) -> None:
    """Generate the images of a scale.

    \b
    Example: python -m r3cnn data shapes --scale smoke --out shapes
    """
    from .catalogue import load_scale
    from .data.shapes import generate

    settings = load_scale(scale)
    if "shapes" not in settings.data:
        raise UserError(
            f"{settings.path}: data: this scale reads {settings.data}; nothing to generate"
        )
    generate(out, **settings.data["shapes"])


@data.command()
@click.option("--data", "folder", required=True, type=FILE, help="Folder in COCO's layout.")
@click.option(
    "--out", required=True, type=FILE, help="JSON file to write: classes, counts, checksums."
)
def check(folder: Path, out: Path) -> None:
    """Check a data folder and say what it holds.

    \b
    Example: python -m r3cnn data check --data data/coco --out data.json
    """
    from .data.check import check as check_folder
    from .files import write_json

    write_json(out, check_folder(folder))


@main.command()
@click.option("--training", required=True, help="Id in the catalogue.")
@click.option("--scale", required=True, help="Name or file of a scale.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--catalogue", type=FILE, help="A catalogue of your own beside the paper's.")
@click.option("--data", "data_file", type=FILE, help="data.json of `data check`; COCO without it.")
@click.option("--trunk", help="Trunk weights: a file, or `random`; the model's own without it.")
@click.option("--out", required=True, type=FILE, help="Config file to write.")
def resolve(
    training: str,
    scale: str,
    seed: int,
    catalogue: Path | None,
    data_file: Path | None,
    trunk: str | None,
    out: Path,
) -> None:
    """Write the one complete config of a training.

    \b
    Example: python -m r3cnn resolve --training htc --scale paper --out htc.py
    """
    from .config import require_loops
    from .config import resolve as resolve_config
    from .files import write_atomically

    known, entry, settings = _entry(catalogue, training, scale)
    checked = _read_checked_data(data_file) if data_file else None
    cfg = resolve_config(entry, settings, seed, checked, trunk)
    require_loops(cfg, entry, known.evaluations[training], known.stated_in.get(training))
    write_atomically(out, cfg.pretty_text)


@main.command()
@click.option("--config", required=True, type=FILE, help="A resolved config.")
@click.option("--out", required=True, type=FILE, help="Folder of the results.")
@click.option(
    "--state", required=True, type=FILE, help="Folder that survives a stop: checkpoints, log."
)
@click.option(
    "--launcher", type=click.Choice(["none", "pytorch", "slurm"]), default="none", show_default=True
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0),
    default=CHECKPOINT_MINUTES,
    show_default=True,
    help="Longest time between two checkpoints; no effect on the result.",
)
def train(config: Path, out: Path, state: Path, launcher: str, minutes: float) -> None:
    """Train; goes on by itself from what an earlier attempt left in the state folder.

    Exit code 85 means: a signal came, a checkpoint is written, run the same command again. SIGTERM and
    SIGUSR1 do this, and so does the end of the process that started the training.

    \b
    Example: python -m r3cnn train --config config.py --out trained --state state
    """
    from .stopping import TO_BE_CONTINUED, Interrupted, StopRequest, end_with_parent

    stop = StopRequest()
    stop.listen()  # before the imports below, which take seconds: a signal must not be lost
    end_with_parent()
    from .config import load_config
    from .train import train as run

    try:
        run(config, load_config(config), out, state, launcher, minutes, stop)
    except Interrupted as stopped:
        log.warning("%s; run the same command to go on", stopped)
        sys.exit(TO_BE_CONTINUED)


@main.command(cls=Loops)
@click.option("--config", required=True, type=FILE, help="A resolved config.")
@click.option("--checkpoint", required=True, type=FILE, help="Trained weights of that config.")
@click.option(
    "--loops", required=True, multiple=True, type=click.IntRange(min=1), help="Every L_e wanted."
)
@click.option("--out", required=True, type=FILE, help="Parquet file to write.")
def predict(config: Path, checkpoint: Path, loops: tuple[int, ...], out: Path) -> None:
    """Predict the validation images once for every L_e.

    \b
    Example: python -m r3cnn predict --config c.py --checkpoint checkpoint.pth --loops 1 2 3 --out p.parquet
    """
    from .config import load_config
    from .predict import predict as run

    run(load_config(config), checkpoint, loops, out)


@main.command()
@click.option("--predictions", required=True, type=FILE, help="File of `predict`.")
@click.option("--loops", required=True, type=click.IntRange(min=1), help="The L_e to score.")
@click.option(
    "--annotations", required=True, type=FILE, help="The annotations it was predicted for."
)
@click.option("--out", required=True, type=FILE, help="JSON file to write.")
def score(predictions: Path, loops: int, annotations: Path, out: Path) -> None:
    """Score one L_e of a predictions file: COCO's twelve metrics of boxes and masks.

    \b
    Example: python -m r3cnn score --predictions p.parquet --loops 3 --annotations val.json --out score.json
    """
    from .score import score as run

    run(predictions, loops, annotations, out)


@main.command(cls=Loops)
@click.option("--training", required=True, help="Id in the catalogue.")
@click.option("--catalogue", type=FILE, help="A catalogue of your own beside the paper's.")
@click.option("--config", type=FILE, help="Resolved config of the model whose speed is measured.")
@click.option("--checkpoint", type=FILE, help="Its trained weights.")
@click.option(
    "--loops",
    multiple=True,
    type=click.IntRange(min=1),
    help="Every L_e to time; its own without it.",
)
@click.option(
    "--beside-others", is_flag=True, help="Other work may run meanwhile; the file says so."
)
@click.option("--out", required=True, type=FILE, help="JSON file to write.")
def measure(
    training: str,
    catalogue: Path | None,
    config: Path | None,
    checkpoint: Path | None,
    loops: tuple[int, ...],
    beside_others: bool,
    out: Path,
) -> None:
    """Count the paper model's parameters and bytes; with a trained model, time it too.

    \b
    Example: python -m r3cnn measure --training htc --out htc.json
    """
    from .config import load_config
    from .config import resolve as resolve_config
    from .measure import measure as run

    if (config is None) != (checkpoint is None):
        raise click.UsageError("--config and --checkpoint go together: speed needs a trained model")
    known, entry, paper = _entry(catalogue, training, "paper")
    cfg = load_config(config) if config else None
    run(
        training,
        resolve_config(entry, paper, seed=0),
        out,
        cfg,
        checkpoint,
        loops or known.evaluations[training],
        alone=not beside_others,
    )


@main.command()
@click.argument("source", metavar="IN", type=FILE)
@click.argument("out", metavar="OUT", type=FILE)
@click.option(
    "--trust", is_flag=True, help="I trust where IN comes from: reading it runs its code."
)
@click.option("--sha256", metavar="HEX", help="The checksum of the file that I trust.")
def convert(source: Path, out: Path, trust: bool, sha256: str | None) -> None:
    """Turn a foreign (pickled) checkpoint into one of tensors and plain types.

    \b
    Example: python -m r3cnn convert --trust --sha256 0f3b... epoch_12.pth weights.pth
    """
    from .convert import convert as run

    run(source, out, trust, sha256)


@main.command()
@click.option("--scale", help="A scale: the disk, memory and data that it needs.")
@click.option(
    "--data", "folder", type=FILE, help="The data folder to check; the scale's without it."
)
def doctor(scale: str | None, folder: Path | None) -> None:
    """Check the installation and the machine; say what to do about each finding.

    \b
    Example: python -m r3cnn doctor --scale paper --data data/coco
    """
    from .doctor import BROKEN, examine

    findings = list(examine(scale, folder))
    for finding in findings:
        click.echo(finding)
    if any(finding.state == BROKEN for finding in findings):
        sys.exit(1)


@main.command()
def sources() -> None:
    """Print the hash of the method's sources; comments and layout do not count.

    \b
    Example: python -m r3cnn sources
    """
    from .provenance import source_hash

    click.echo(source_hash())


def _entry(catalogue: Path | None, training: str, scale: str):
    """The catalogue, a training of it, and the scale."""
    from .catalogue import load_catalogue, load_scale
    from .schema import choice

    known = load_catalogue(catalogue)
    if training not in known.trainings:
        raise UserError(f"--training {training}: unknown id; {choice(training, known.trainings)}")
    return known, known.trainings[training], load_scale(scale)


def _read_checked_data(path: Path) -> dict:
    remedy = "make it with `python -m r3cnn data check`"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); {remedy}") from error
    expected = {"root", "classes", "splits"}
    if not isinstance(content, dict) or not expected <= content.keys():
        raise UserError(f"{path}: expected the keys {', '.join(sorted(expected))}; {remedy}")
    return content
