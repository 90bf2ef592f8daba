"""Commands that use trained weights: on your own images, and in other tools."""

from pathlib import Path

import click

from .common import FILE, import_mmdet


@click.command()
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True, type=FILE)
@click.option("--checkpoint", required=True, type=FILE, help="Trained or exported weights.")
@click.option(
    "--config", type=FILE, help="Resolved config. Default: the config next to the checkpoint."
)
@click.option(
    "--loops", type=click.IntRange(min=1), help="Number of loops (L_e). Default: as in training."
)
@click.option(
    "--every-loop", is_flag=True, help="Draw the loops side by side, to compare boxes and scores."
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=0.3,
    show_default=True,
    help="Lowest score to draw.",
)
@click.option("--out", required=True, type=FILE, help="Folder for the drawn images.")
def show(
    images: tuple[Path, ...],
    checkpoint: Path,
    config: Path | None,
    loops: int | None,
    every_loop: bool,
    threshold: float,
    out: Path,
) -> None:
    """Draw boxes and masks on your own images.

    Each IMAGE is a file, or a folder that is searched with its subfolders. OUT/<name>.json, next to
    OUT/<name>.jpg, lists classes, scores, boxes (x, y, width, height) and masks (COCO's run lengths), in pixels
    of the upright image. Images that cannot be read are reported and skipped; the exit code is then 1.

    \b
    Example:
      python -m r3cnn show photo.jpg holiday --checkpoint checkpoint.pth --every-loop --out drawn
    """
    import_mmdet()
    from ..viewing.show import show as run

    run(images, checkpoint, out, config, loops, every_loop, threshold)


@click.command()
@click.argument("predictions", metavar="FILE", type=FILE)
@click.option("--loops", required=True, type=click.IntRange(min=1), help="L_e to write.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["coco"]),
    default="coco",
    show_default=True,
    help="COCO's results format, which pycocotools and other tools read.",
)
@click.option(
    "--out", type=FILE, help="Output path without .bbox.json. Default: FILE without its suffix."
)
def results(predictions: Path, loops: int, form: str, out: Path | None) -> None:
    """Write predictions in COCO's results format.

    FILE was written by `predict`. Prints the names of the two files that are written: <name>.bbox.json for boxes
    and <name>.segm.json for masks. They are separate because masks may have their own scores, and because
    pycocotools would take a mask's size from its box. `score` reads such files from any tool.

    \b
    Example:
      python -m r3cnn results predictions/htc/seed0.parquet --loops 3 --out htc
    """
    from ..evaluation.coco_results import write_results

    for path in write_results(predictions, loops, out or predictions.with_suffix("")):
        click.echo(path)


@click.command()
@click.option("--checkpoint", required=True, type=FILE, help="checkpoint.pth of a training.")
@click.option(
    "--config", type=FILE, help="Resolved config. Default: the config next to the checkpoint."
)
@click.option("--out", required=True, type=FILE, help="File to write, such as model.pth.")
def export(checkpoint: Path, config: Path | None, out: Path) -> None:
    """Export the weights without the training state.

    The file is half as large as the checkpoint. For --out model.pth, the resolved config (model.py) and a model
    card with the metrics of the results folder (model.md) are written next to it. mmdet's init_detector reads
    model.py and model.pth.

    \b
    Example:
      python -m r3cnn export --checkpoint trainings/htc/seed0/checkpoint.pth --out htc.pth
    """
    import_mmdet()
    from ..weights.export import export as run

    run(checkpoint, out, config)
