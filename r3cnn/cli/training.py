"""Commands that make trained weights: resolve, train, or use existing ones."""

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.errors import UserError
from ..core.progress import RESUME
from ..training.stopping import CHECKPOINT_MINUTES
from .common import FILE, LAUNCHER, entry_of, import_mmdet, read_checked_data, renamed

if TYPE_CHECKING:
    from mmengine.config import Config

    from ..catalogue.scales import Scale
    from ..catalogue.trainings import Catalogue, Training

log = logging.getLogger(__name__)


@click.command()
@click.option("--training", help="Id in the catalogue. Default: check all rows of --catalogue.")
@click.option("--scale", required=True, help="Name or file of a scale.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--catalogue", type=FILE, help="Your own catalogue, in addition to the paper's.")
@click.option(
    "--data", "data_file", type=FILE, help="data.json written by `data check`. Default: COCO."
)
@click.option("--backbone", help="Backbone weights: a file, or `random`. Default: the model's own.")
@click.option("--trunk", hidden=True, help="The old spelling of --backbone.")
@click.option("--out", type=FILE, help="Config file to write. Default: only check.")
def resolve(
    training: str | None,
    scale: str,
    seed: int,
    catalogue: Path | None,
    data_file: Path | None,
    backbone: str | None,
    trunk: str | None,
    out: Path | None,
) -> None:
    """Write the config of a training, or check a catalogue's rows.

    \b
    Examples:
      python -m r3cnn resolve --training htc --scale paper --out htc.py
      python -m r3cnn resolve --catalogue experiments/own.yaml --scale quick
    """
    from ..catalogue import load_catalogue, load_scale
    from ..config.load import text_of
    from ..core.files import write_atomically

    backbone = renamed("--trunk", trunk, "--backbone", backbone)
    if training is None and catalogue is None:
        raise UserError(
            "--training or --catalogue: expected a row, or a catalogue whose rows are checked"
        )
    if training is None and out is not None:
        raise UserError(f"--out {out}: one file holds one training; name it with --training")
    checked = read_checked_data(data_file) if data_file else None
    if training is None:
        known, settings = load_catalogue(catalogue), load_scale(scale)
        rows = list(known.trainings.values())
    else:
        known, entry, settings = entry_of(catalogue, training, scale)
        rows = [entry]
    for entry in rows:
        cfg = _resolved(known, entry, settings, seed, checked, backbone)
        if out is not None:
            write_atomically(out, text_of(cfg))
    if out is None:
        click.echo(f"rows that can be trained: {len(rows)}; nothing is written without --out")


def _resolved(
    known: "Catalogue",
    entry: "Training",
    scale: "Scale",
    seed: int,
    data: dict | None,
    backbone: str | None,
) -> "Config":
    """The config of a row, which can be trained and evaluated. Raises UserError."""
    from ..config.resolve import of_a_user, require_loops
    from ..config.resolve import resolve as resolve_config
    from ..core.schema import shown

    if of_a_user(entry):  # shipped models are resolved without mmdet's classes
        import_mmdet()
    cfg = resolve_config(entry, scale, seed, data, backbone)
    require_loops(cfg, entry, known.evaluations[entry.id], known.stated_in.get(entry.id))
    if of_a_user(entry):
        from ..weights.building import require_buildable

        require_buildable(cfg, f"{shown(entry.catalogue)}: {entry.id}")
    return cfg


@click.command()
@click.option("--config", required=True, type=FILE, help="A resolved config.")
@click.option("--out", required=True, type=FILE, help="Folder of the results.")
@click.option(
    "--state",
    required=True,
    type=FILE,
    help="Folder of the checkpoints and the log, to resume from.",
)
@LAUNCHER
@click.option(
    "--minutes",
    type=click.FloatRange(min=0),
    default=CHECKPOINT_MINUTES,
    show_default=True,
    help="Longest time between checkpoints; does not affect the result.",
)
def train(config: Path, out: Path, state: Path, launcher: str, minutes: float) -> None:
    """Train a model, or resume an interrupted training.

    The training resumes from the last checkpoint in the state folder. Exit code 85 means that a checkpoint was
    written after a signal: run the same command again to resume. The signals are SIGTERM, SIGUSR1 and the end
    of the parent process.

    \b
    Example:
      python -m r3cnn train --config config.py --out trained --state state
    """
    from ..training.stopping import TO_BE_CONTINUED, Interrupted, StopRequest, end_with_parent

    stop = StopRequest()
    stop.listen()  # before the imports below, which take seconds: a signal must not be lost
    end_with_parent()
    import_mmdet()
    from ..config.load import load_config
    from ..training.run import train as run

    try:
        run(config, load_config(config), out, state, launcher, minutes, stop)
    except Interrupted as stopped:
        log.warning("%s; %s", stopped, RESUME)
        sys.exit(TO_BE_CONTINUED)


@click.command()
@click.argument("source", metavar="IN", type=FILE)
@click.argument("out", metavar="OUT", type=FILE)
@click.option(
    "--trust", is_flag=True, help="Trust the origin of IN: reading the file runs its code."
)
@click.option("--sha256", metavar="HEX", help="SHA-256 of the trusted file.")
def convert(source: Path, out: Path, trust: bool, sha256: str | None) -> None:
    """Convert a pickled checkpoint to tensors and plain types.

    \b
    Example:
      python -m r3cnn convert --trust --sha256 HEX epoch_12.pth weights.pth
    """
    from ..weights.convert import convert as run

    run(source, out, trust, sha256)


@click.command()
@click.option("--config", required=True, type=FILE, help="Resolved config of the evaluation.")
@click.option("--trained", required=True, type=FILE, help="Folder of the training's results.")
@click.option("--out", required=True, type=FILE, help="Folder of the results.")
def reuse(config: Path, trained: Path, out: Path) -> None:
    """Reuse the weights of a training for another evaluation.

    The two configs may differ only in settings of the evaluation.

    \b
    Example:
      python -m r3cnn reuse --config c.py --trained trainings/r3_naive_inc/seed0 --out again
    """
    from ..config.load import load_config
    from ..training.reuse import reuse as take

    take(config, load_config(config), trained, out)


@click.command()
@click.option("--config", required=True, type=FILE, help="Resolved config of the model.")
@click.option("--source", required=True, help="Checkpoint: a file or a URL.")
@click.option(
    "--sha256", required=True, help="SHA-256 of the checkpoint, or at least its first 8 digits."
)
@click.option("--out", required=True, type=FILE, help="Folder of the results.")
def weights(config: Path, source: str, sha256: str, out: Path) -> None:
    """Use an external checkpoint instead of training.

    Reading a pickled checkpoint runs its code.

    \b
    Example:
      python -m r3cnn weights --config c.py --source zoo.pth --sha256 HEX --out trained
    """
    from ..config.load import load_config
    from ..training.given import take

    take(config, load_config(config), source, sha256, out)
