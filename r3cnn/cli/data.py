"""Commands that make, fetch and check data."""

import logging
from pathlib import Path

import click

from ..core.errors import UserError
from .common import FILE

log = logging.getLogger(__name__)
VAL_ONLY = click.option(
    "--val-only", is_flag=True, help="The validation images alone, where nothing is trained."
)


@click.group()
def data() -> None:
    """Make, fetch and check data."""


@data.command()
@click.option("--to", "folder", required=True, type=FILE, help="Folder that becomes COCO 2017.")
@click.option(
    "--mirror", help="An address or a folder with COCO's zips; COCO's own site without it."
)
@click.option("--keep", is_flag=True, help="Leave the zips that were fetched.")
@VAL_ONLY
def coco(folder: Path, mirror: str | None, keep: bool, val_only: bool) -> None:
    """Fetch COCO 2017 (20 GB, 1 GB with --val-only), check and unpack it; what is there is used as it is.

    \b
    Example: python -m r3cnn data coco --to data/coco
    """
    from ..data import SPLITS
    from ..data.coco import OFFICIAL, fetch

    found = fetch(folder, mirror or OFFICIAL, keep, ("val",) if val_only else SPLITS)
    counts = {name: split["image_count"] for name, split in found["splits"].items()}
    train = f"{counts['train']} training and " if "train" in counts else "no training and "
    click.echo(f"{folder}: COCO 2017, {train}{counts['val']} other images")


@data.command()
@click.option("--to", "path", required=True, type=FILE, help="File, or folder, to write.")
@click.option("--from", "source", help="A local file or another address; PyTorch's without it.")
def backbone(path: Path, source: str | None) -> None:
    """Fetch ResNet-50's ImageNet weights (torchvision's V1, 98 MB) and check them.

    \b
    Example: python -m r3cnn data backbone --to data
    """
    from ..data.coco import fetch_backbone

    click.echo(f"{fetch_backbone(path, source)}: ResNet-50's weights, checksum as stated")


@data.command("trunk", hidden=True, params=backbone.params)
@click.pass_context
def trunk(ctx: click.Context, path: Path, source: str | None) -> None:
    """The old name of `backbone`.

    \b
    Example: python -m r3cnn data trunk --to data
    """
    log.warning("data trunk is now called data backbone; the old name goes with version 0.3")
    ctx.invoke(backbone, path=path, source=source)


@data.command()
@click.option("--scale", required=True, help="Name or file of a scale with generated data.")
@click.option("--out", required=True, type=FILE, help="Folder to write, in COCO's layout.")
def shapes(scale: str, out: Path) -> None:
    """Generate the images of a scale.

    \b
    Example: python -m r3cnn data shapes --scale smoke --out shapes
    """
    from ..catalogue import load_scale
    from ..data.synthetic.shapes import generate

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
@VAL_ONLY
def check(folder: Path, out: Path, val_only: bool) -> None:
    """Check a data folder and say what it holds.

    \b
    Example: python -m r3cnn data check --data data/coco --out data.json
    """
    from ..core.files import write_json
    from ..data import SPLITS
    from ..data.check import check as check_folder

    write_json(out, check_folder(folder, ("val",) if val_only else SPLITS))
