"""Commands that evaluate trained weights."""

import logging
import sys
from pathlib import Path

import click

from ..core.progress import RESUME
from .common import FILE, LAUNCHER, Loops, entry_of, import_mmdet

log = logging.getLogger(__name__)


@click.command(cls=Loops)
@click.option("--config", required=True, type=FILE, help="A resolved config.")
@click.option("--checkpoint", required=True, type=FILE, help="Trained weights of that config.")
@click.option(
    "--loops",
    metavar="N...",
    required=True,
    multiple=True,
    type=click.IntRange(min=1),
    help="Numbers of loops to evaluate (L_e), one or several: --loops 1 2 3.",
)
@click.option("--out", required=True, type=FILE, help="Parquet file to write.")
@click.option(
    "--state", type=FILE, help="Folder that keeps the images predicted so far, to resume from."
)
@LAUNCHER
def predict(
    config: Path,
    checkpoint: Path,
    loops: tuple[int, ...],
    out: Path,
    state: Path | None,
    launcher: str,
) -> None:
    """Predict the validation images for each number of loops.

    Several processes share the images.

    With --state, exit code 85 means that a signal (SIGTERM, SIGUSR1) or the end of the parent process stopped the
    command: run it again to resume.

    \b
    Example:
      python -m r3cnn predict --config c.py --checkpoint checkpoint.pth --loops 1 2 3 --out p.parquet
    """
    from ..training.stopping import TO_BE_CONTINUED, StopRequest, end_with_parent

    stop = StopRequest()
    if state is not None:
        stop.listen()  # before the imports below, which take seconds: a signal must not be lost
        end_with_parent()  # two predictions with one state would take each other's parts
    import_mmdet()
    from ..config.load import load_config
    from ..evaluation.predict import predict as run
    from ..training import distributed

    distributed.start(launcher)
    if not run(load_config(config), checkpoint, loops, out, state, lambda: bool(stop)):
        log.warning("stopped by a signal; %s", RESUME)
        sys.exit(TO_BE_CONTINUED)


@click.command()
@click.option(
    "--predictions",
    required=True,
    multiple=True,
    type=FILE,
    help="File of `predict`, or another tool's results in COCO's format (.json). Only .json is repeatable.",
)
@click.option(
    "--loops",
    type=click.IntRange(min=1),
    help="L_e to score. Required for a file of `predict`; default for another tool's: 1.",
)
@click.option(
    "--annotations", required=True, type=FILE, help="Annotations of the predicted images."
)
@click.option("--out", required=True, type=FILE, help="JSON file to write.")
def score(predictions: tuple[Path, ...], loops: int | None, annotations: Path, out: Path) -> None:
    """Compute COCO's metrics for one number of loops.

    These are the twelve metrics of boxes and of masks, and AP at each IoU.

    \b
    Example:
      python -m r3cnn score --predictions p.parquet --loops 3 --annotations val.json --out score.json
    """
    from ..evaluation.score import JSON
    from ..evaluation.score import score as run

    first, *more = predictions
    if loops is None and first.suffix != JSON:
        raise click.UsageError("Missing option '--loops': the L_e to score")
    run(first, loops or 1, annotations, out, more)


@click.command(cls=Loops)
@click.option("--training", required=True, help="Id in the catalogue.")
@click.option("--catalogue", type=FILE, help="Your own catalogue, in addition to the paper's.")
@click.option("--config", type=FILE, help="Resolved config of the model whose speed is measured.")
@click.option("--checkpoint", type=FILE, help="Its trained weights.")
@click.option(
    "--loops",
    metavar="N...",
    multiple=True,
    type=click.IntRange(min=1),
    help="L_e to count and to time, one or several. Default: those of the training's evaluations.",
)
@click.option(
    "--beside-others", is_flag=True, help="Allow other jobs on the machine; recorded in the file."
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
    """Count parameters, bytes and multiply-adds; measure speed.

    Counts are those of the paper-size model. Speed is measured with --config and --checkpoint.

    \b
    Example:
      python -m r3cnn measure --training htc --out htc.json
    """
    import_mmdet()
    from ..config.load import load_config
    from ..config.resolve import resolve as resolve_config
    from ..measuring.measure import measure as run

    if (config is None) != (checkpoint is None):
        raise click.UsageError("--config and --checkpoint go together: speed needs a trained model")
    known, entry, paper = entry_of(catalogue, training, "paper")
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
