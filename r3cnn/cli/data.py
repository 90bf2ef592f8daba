"""Commands that make, download and check data."""

import logging
from pathlib import Path

import click

from ..core.errors import UserError
from .common import FILE, InOrder

log = logging.getLogger(__name__)
VAL_ONLY = click.option(
    "--val-only", is_flag=True, help="Only the validation images, if nothing is trained."
)


@click.group(cls=InOrder)
def data() -> None:
    """Make, download and check data."""


@data.command()
@click.option("--to", "folder", required=True, type=FILE, help="Folder to create.")
@click.option("--mirror", help="URL or folder with COCO's zip files. Default: COCO's own site.")
@click.option("--keep", is_flag=True, help="Keep the downloaded zip files.")
@VAL_ONLY
def coco(folder: Path, mirror: str | None, keep: bool, val_only: bool) -> None:
    """Download, check and unpack COCO 2017.

    It takes 20 GB, or 1 GB with --val-only. Existing files are reused, and an interrupted download resumes.

    \b
    Example:
      python -m r3cnn data coco --to data/coco
    """
    from ..data import SPLITS
    from ..data.coco import OFFICIAL, fetch

    found = fetch(folder, mirror or OFFICIAL, keep, ("val",) if val_only else SPLITS)
    counts = {name: split["image_count"] for name, split in found["splits"].items()}
    train = f"{counts['train']} training and " if "train" in counts else "no training and "
    click.echo(f"{folder}: COCO 2017, {train}{counts['val']} validation images")


@data.command()
@click.option(
    "--to", "path", required=True, type=FILE, help="File to write, or folder to write it into."
)
@click.option("--from", "source", help="Local file or another URL. Default: PyTorch's.")
def backbone(path: Path, source: str | None) -> None:
    """Download and check ResNet-50's ImageNet weights (98 MB).

    These are torchvision's weights V1.

    \b
    Example:
      python -m r3cnn data backbone --to data
    """
    from ..data.coco import fetch_backbone

    click.echo(f"{fetch_backbone(path, source)}: ResNet-50's weights, checksum verified")


@data.command("trunk", hidden=True, params=backbone.params)
@click.pass_context
def trunk(ctx: click.Context, path: Path, source: str | None) -> None:
    """The old name of `backbone`.

    \b
    Example:
      python -m r3cnn data trunk --to data
    """
    log.warning(
        "data trunk is now called data backbone; the old name will be removed in version 0.3"
    )
    ctx.invoke(backbone, path=path, source=source)


@data.command()
@click.option("--scale", required=True, help="Name or file of a scale with generated data.")
@click.option("--out", required=True, type=FILE, help="Folder to write, in COCO's layout.")
def shapes(scale: str, out: Path) -> None:
    """Generate the synthetic images of a scale.

    \b
    Example:
      python -m r3cnn data shapes --scale smoke --out shapes
    """
    from ..catalogue import load_scale
    from ..core.schema import shown
    from ..data.synthetic.shapes import generate

    settings = load_scale(scale)
    if "shapes" not in settings.data:
        raise UserError(
            f"{shown(settings.path)}: data: reads a folder, expected `shapes`; name a scale with generated data, "
            "such as smoke"
        )
    generate(out, **settings.data["shapes"])


@data.command()
@click.option("--data", "folder", required=True, type=FILE, help="Folder in COCO's layout.")
@click.option(
    "--out", required=True, type=FILE, help="JSON file to write: classes, counts, checksums."
)
@VAL_ONLY
def check(folder: Path, out: Path, val_only: bool) -> None:
    """Check a data folder and summarise its content.

    \b
    Example:
      python -m r3cnn data check --data data/coco --out data.json
    """
    from ..core.files import write_json
    from ..data import SPLITS
    from ..data.check import check as check_folder

    write_json(out, check_folder(folder, ("val",) if val_only else SPLITS))
