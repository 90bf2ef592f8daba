"""Commands about a whole run: its cost, and its progress."""

import math
import sys
from pathlib import Path

import click
from click.core import ParameterSource

from ..catalogue.costs import PAPER_GPUS
from ..core.errors import UserError
from .common import FILE, require_writable


@click.command()
@click.option("--scale", default="quick", show_default=True, help="Name or file of a scale.")
@click.option("--catalogue", type=FILE, help="Your own catalogue, in addition to the paper's.")
@click.option("--results", type=FILE, help="Results folder. Default: results/<scale>.")
def status(scale: str, catalogue: Path | None, results: Path | None) -> None:
    """Show which trainings are done, running, waiting or failed.

    Finds jobs on this machine and on Slurm.

    \b
    Example:
      python -m r3cnn status --scale paper
    """
    from ..catalogue import load_catalogue, load_scale
    from ..runs.remaining import remaining
    from ..runs.status import render
    from ..runs.status import status as run

    settings, trainings = load_scale(scale), load_catalogue(catalogue)
    folder = results or Path("results", settings.name)
    found = run(trainings, settings, folder)
    click.echo(render(found, folder))
    if line := remaining(found, trainings, settings):
        click.echo(line)


@click.command()
@click.option("--scale", default="paper", show_default=True, help="Name or file of a scale.")
@click.option("--catalogue", type=FILE, help="Your own catalogue, in addition to the paper's.")
@click.option("--results", type=FILE, help="Results folder. Default: results/<scale>.")
@click.option(
    "--gpus", type=click.IntRange(min=1), default=PAPER_GPUS, show_default=True, help="Total GPUs."
)
@click.option(
    "--gpus-of-training",
    type=click.IntRange(min=1),
    help=f"GPUs per training. Default: all, at most {PAPER_GPUS}.",
)
@click.option("--price", type=click.FloatRange(min=0), help="Price of a GPU-hour, in any currency.")
@click.option(
    "--watts", type=click.FloatRange(min=0), help="Watts per GPU, including its share of the host."
)
@click.option("--measurements", type=FILE, help="Measured costs. Default: experiments/costs.yaml.")
@click.option("--pilot", type=FILE, help="Results of a pilot. Default: results/<scale>-pilot.")
@click.option("--probe", is_flag=True, help="First measure the costs on this machine.")
@click.option(
    "--passes",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Forward passes that --probe times.",
)
@click.option(
    "--data", type=FILE, help="Images for --probe, in COCO's layout. Default: generated images."
)
@click.option(
    "--out", type=FILE, help="File for the measurements of --probe. Default: costs.<scale>.yaml."
)
def estimate(
    scale: str,
    catalogue: Path | None,
    results: Path | None,
    gpus: int,
    gpus_of_training: int | None,
    price: float | None,
    watts: float | None,
    measurements: Path | None,
    pilot: Path | None,
    probe: bool,
    passes: int,
    data: Path | None,
    out: Path | None,
) -> None:
    """Estimate the GPU-hours, time, memory and disk of a scale.

    Finished trainings are not counted.

    \b
    Example:
      python -m r3cnn estimate --scale paper --gpus 8 --price 2.5 --watts 400
    """
    from ..catalogue import load_catalogue, load_scale
    from ..runs import estimate as module

    for name, value in (("--price", price), ("--watts", watts)):
        if value is not None and not math.isfinite(value):
            raise UserError(f"{name} {value}: expected a number")
    _require_together(probe, measurements)
    settings, trainings = load_scale(scale), load_catalogue(catalogue)
    each = gpus_of_training or min(gpus, PAPER_GPUS)
    if each > gpus:
        raise UserError(
            f"--gpus-of-training {each}: more than --gpus {gpus}; expected at most {gpus}"
        )
    trained = [training for training in trainings.trainings.values() if training.trains]
    if not trained:
        click.echo("Nothing to train: the catalogue's weights are given.")
        return
    if probe:
        file = out or Path(f"costs.{settings.name}.yaml")
        require_writable(file)
        from ..measuring.probe import probe as run

        run(trainings.trainings.values(), settings, file, passes, data)
    else:
        file = _recorded(measurements, settings.network is not None, scale)
    piloted = _piloted(pilot, settings.name, by_default=not (measurements or probe))
    costs, sources = _costs(piloted, file, trained)
    device = next(iter(costs.values())).device
    plan = module.Plan(gpus, each, price, watts)
    sizes = _checkpoints(trainings, settings)
    folder = results or Path("results", settings.name)
    found = module.rows(trainings, settings, folder, costs, sizes, plan)
    click.echo(module.render(found, settings, plan, device, sources))


def _require_together(probe: bool, measurements: Path | None) -> None:
    """Raise UserError for options that would have no effect."""
    if probe and measurements is not None:
        raise UserError(
            f"--measurements {measurements}: cannot be combined with --probe, which measures; remove one"
        )
    context = click.get_current_context()
    for name in ("passes", "data", "out"):
        if not probe and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise UserError(f"--{name}: only for --probe; add --probe, or remove it")


def _recorded(measurements: Path | None, small: bool, scale: str) -> Path:
    """The file of recorded costs. Raises UserError for a small network without a file of its own."""
    from ..runs.estimate import COSTS

    if small and measurements is None:
        raise UserError(
            f"--scale {scale}: {COSTS.name} has costs of the paper's network only; add --probe to measure this "
            "scale on this machine, or --measurements FILE"
        )
    return measurements or COSTS


def _piloted(given: Path | None, scale: str, by_default: bool) -> list:
    """The trainings of a pilot: of the folder given, else of the scale's own if there is one."""
    from ..runs.pilot import SUFFIX, read_pilot

    if given is not None or by_default:
        found = read_pilot(given or Path("results", f"{scale}{SUFFIX}"))
        if given is not None and not found:
            raise UserError(
                f"--pilot {given}: no finished training in it; run `snakemake trainings` with a pilot's "
                "scale, such as --config scale=paper-pilot"
            )
        return found
    return []


def _costs(piloted: list, file: Path, trainings: list) -> tuple[dict, list[str]]:
    """The cost of each training, and where the numbers come from."""
    from ..runs.estimate import recorded, sources_of
    from ..runs.pilot import costs_by_pilot, render_pilot

    ids = {training.id for training in trainings}
    piloted = [one for one in piloted if one.training in ids]
    if not piloted:
        return recorded(file, trainings), sources_of(file)
    costs = costs_by_pilot(piloted, file, trainings)
    table = ["The pilot:", "", render_pilot(piloted)]
    wholly = {one.training for one in piloted} >= costs.keys()
    return costs, table if wholly else [*table, "", *sources_of(file)]


def _checkpoints(catalogue, scale) -> dict[str, int]:
    """Bytes of each training's checkpoint, of models that are built without memory."""
    from ..config.resolve import resolve
    from ..weights.size import checkpoint_size

    return {
        id_: checkpoint_size(resolve(training, scale, seed=0))["tensor_bytes"]
        for id_, training in catalogue.trainings.items()
    }


@click.command()
@click.option("--scale", help="Also check the disk, memory and data that this scale needs.")
@click.option(
    "--data", "folder", type=FILE, help="Data folder to check. Default: the folder of the scale."
)
@click.option("--gpu", is_flag=True, help="Require a GPU and compute on it.")
@click.option(
    "--repair",
    "repairing",
    is_flag=True,
    help="First write the .pth file that provides mmcv's operators.",
)
def doctor(scale: str | None, folder: Path | None, gpu: bool, repairing: bool) -> None:
    """Check the installation and the machine, and suggest fixes.

    \b
    Example:
      python -m r3cnn doctor --scale paper --data data/coco
    """
    from ..runs.doctor import examine
    from ..runs.finding import BROKEN
    from ..runs.operators import repair

    if repairing:
        click.echo(f"wrote  {repair()}")
    states = set()
    for finding in examine(scale, folder, gpu):
        click.echo(finding)
        states.add(finding.state)
    if BROKEN in states:
        sys.exit(1)


@click.command()
def sources() -> None:
    """Print the hashes of the method's source code.

    One hash each covers training, prediction and scoring. Comments, formatting, messages and file names do not
    affect it.

    \b
    Example:
      python -m r3cnn sources
    """
    from ..core.source_hash import ENTRIES, SCHEME, source_hash

    for part in ENTRIES:
        click.echo(f"{part:10} scheme {SCHEME}  {source_hash(part)}")


@click.command("verify-kept")
@click.argument("folder", type=FILE)
@click.option("--training", help="A single training of the folder. Default: all.")
def verify_kept(folder: Path, training: str | None) -> None:
    """Retrain the first 50 steps of kept rows and compare them.

    If all log lines are equal, the present sources are recorded as equivalent. FOLDER was written by
    `reports keep`. Use the machine and the number of threads that trained the rows: results of other
    processors differ in the last bits.

    \b
    Example:
      OMP_NUM_THREADS=1 python -m r3cnn verify-kept measured/mini --training mask_1x
    """
    from ..core.layout import RunFolder
    from ..training.verify import verify

    found = [t for t in RunFolder(folder).trainings(training or "*") if t.manifest.is_file()]
    if not found:
        raise UserError(f"{folder}: no kept training{f' {training}' if training else ''} in it")
    for kept in found:
        lines = verify(kept)
        click.echo(f"{kept.id}, seed {kept.seed}: {lines} lines equal")
