"""Commands that use what was trained: on pictures of one's own, and elsewhere."""

from pathlib import Path

import click

from .common import FILE


@click.command()
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True, type=FILE)
@click.option("--checkpoint", required=True, type=FILE, help="Trained or exported weights.")
@click.option("--config", type=FILE, help="Its resolved config; the one beside it without this.")
@click.option(
    "--loops", type=click.IntRange(min=1), help="L_e; as many as it was trained with without this."
)
@click.option(
    "--every-loop", is_flag=True, help="Draw each loop, side by side: how boxes and scores move."
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=0.3,
    show_default=True,
    help="Show what scores at least this.",
)
@click.option("--out", required=True, type=FILE, help="Folder of the drawn pictures.")
def show(
    images: tuple[Path, ...],
    checkpoint: Path,
    config: Path | None,
    loops: int | None,
    every_loop: bool,
    threshold: float,
    out: Path,
) -> None:
    """Draw boxes and masks on pictures of your own: files, and folders with all that is in them.

    Beside each OUT/<name>.jpg stands <name>.json: classes, scores, boxes (x, y, width, height), masks as
    COCO's run lengths, in pixels of the picture as it is seen (turned upright). A picture that cannot be
    read is named and the rest goes on; the exit code is then 1.

    \b
    Example: python -m r3cnn show photo.jpg holiday --checkpoint checkpoint.pth --every-loop --out drawn
    """
    from ..viewing.show import show as run

    run(images, checkpoint, out, config, loops, every_loop, threshold)


@click.command()
@click.argument("predictions", metavar="FILE", type=FILE)
@click.option("--loops", required=True, type=click.IntRange(min=1), help="The L_e to write.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["coco"]),
    default="coco",
    show_default=True,
    help="COCO's results, which pycocotools and others read.",
)
@click.option("--out", type=FILE, help="Their name without .bbox.json; that of FILE without it.")
def results(predictions: Path, loops: int, form: str, out: Path | None) -> None:
    """Write one L_e of a file of `predict` as COCO's results, and print their names.

    Boxes and masks get a file each, <name>.bbox.json and <name>.segm.json: a mask may have a score of its own, and
    pycocotools would take its size from its box. `score` reads such files, from here or from any other tool.

    \b
    Example: python -m r3cnn results predictions/htc/seed0.parquet --loops 3 --out htc
    """
    from ..evaluation.coco_results import write_results

    for path in write_results(predictions, loops, out or predictions.with_suffix("")):
        click.echo(path)


@click.command()
@click.option("--checkpoint", required=True, type=FILE, help="A training's checkpoint.pth.")
@click.option("--config", type=FILE, help="Its resolved config; the one beside it without this.")
@click.option("--out", required=True, type=FILE, help="File of the weights, such as model.pth.")
def export(checkpoint: Path, config: Path | None, out: Path) -> None:
    """Write the weights alone, to be taken elsewhere: half of the checkpoint's size.

    Beside OUT stand <its stem>.py, the resolved config, and <its stem>.md, a model card with the metrics that
    the results folder holds. mmdet's init_detector reads the two files.

    \b
    Example: python -m r3cnn export --checkpoint trainings/htc/seed0/checkpoint.pth --out htc.pth
    """
    from ..weights.export import export as run

    run(checkpoint, out, config)
