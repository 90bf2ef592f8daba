"""Commands that evaluate trained weights."""

import logging
import sys
from pathlib import Path

import click

from .common import FILE, LAUNCHER, Loops, entry_of

log = logging.getLogger(__name__)


@click.command(cls=Loops)
@click.option("--config", required=True, type=FILE, help="A resolved config.")
@click.option("--checkpoint", required=True, type=FILE, help="Trained weights of that config.")
@click.option(
    "--loops", required=True, multiple=True, type=click.IntRange(min=1), help="Every L_e wanted."
)
@click.option("--out", required=True, type=FILE, help="Parquet file to write.")
@click.option(
    "--state", type=FILE, help="Folder that survives a stop: the images predicted so far."
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
    """Predict the validation images once for every L_e; several processes share the images.

    With --state, exit code 85 means: a signal came (SIGTERM, SIGUSR1), run the same command again.

    \b
    Example: python -m r3cnn predict --config c.py --checkpoint checkpoint.pth --loops 1 2 3 --out p.parquet
    """
    from ..training.stopping import TO_BE_CONTINUED, StopRequest

    stop = StopRequest()
    if state is not None:
        stop.listen()  # before the imports below, which take seconds: a signal must not be lost
    from ..config.load import load_config
    from ..evaluation.predict import predict as run
    from ..training import distributed

    distributed.start(launcher)
    if not run(load_config(config), checkpoint, loops, out, state, lambda: bool(stop)):
        log.warning("a signal came; run the same command to go on")
        sys.exit(TO_BE_CONTINUED)


@click.command()
@click.option(
    "--predictions",
    required=True,
    multiple=True,
    type=FILE,
    help="File of `predict`; or another tool's results in COCO's format (.json), of which there may be several.",
)
@click.option(
    "--loops", type=click.IntRange(min=1), help="The L_e to score; 1 without it for another tool's."
)
@click.option(
    "--annotations", required=True, type=FILE, help="The annotations it was predicted for."
)
@click.option("--out", required=True, type=FILE, help="JSON file to write.")
def score(predictions: tuple[Path, ...], loops: int | None, annotations: Path, out: Path) -> None:
    """Score one L_e of a predictions file: COCO's twelve metrics of boxes and masks, and AP at each IoU.

    \b
    Example: python -m r3cnn score --predictions p.parquet --loops 3 --annotations val.json --out score.json
    """
    from ..evaluation.score import JSON
    from ..evaluation.score import score as run

    first, *more = predictions
    if loops is None and first.suffix != JSON:
        raise click.UsageError("Missing option '--loops': which L_e of the predictions is scored")
    run(first, loops or 1, annotations, out, more)


@click.command(cls=Loops)
@click.option("--training", required=True, help="Id in the catalogue.")
@click.option("--catalogue", type=FILE, help="A catalogue of your own beside the paper's.")
@click.option("--config", type=FILE, help="Resolved config of the model whose speed is measured.")
@click.option("--checkpoint", type=FILE, help="Its trained weights.")
@click.option(
    "--loops",
    multiple=True,
    type=click.IntRange(min=1),
    help="Every L_e to count and to time; its own without it.",
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
    """Count the paper model's parameters, bytes and multiply-adds; with a trained model, time it too.

    \b
    Example: python -m r3cnn measure --training htc --out htc.json
    """
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
