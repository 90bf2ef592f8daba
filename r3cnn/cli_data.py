"""Commands that fetch data and weights of the paper's scale."""

from pathlib import Path

import click

FILE = click.Path(path_type=Path)


@click.command()
@click.option("--to", "folder", required=True, type=FILE, help="Folder that becomes COCO 2017.")
@click.option(
    "--mirror", help="An address or a folder with COCO's zips; COCO's own site without it."
)
@click.option("--keep", is_flag=True, help="Leave the zips that were fetched.")
def coco(folder: Path, mirror: str | None, keep: bool) -> None:
    """Fetch COCO 2017 (20 GB), check and unpack it; what is there is used as it is.

    \b
    Example: python -m r3cnn data coco --to data/coco
    """
    from .data.coco import OFFICIAL, fetch

    found = fetch(folder, mirror or OFFICIAL, keep)
    counts = {name: split["image_count"] for name, split in found["splits"].items()}
    click.echo(f"{folder}: COCO 2017, {counts['train']} training and {counts['val']} other images")


@click.command()
@click.option("--to", "path", required=True, type=FILE, help="File, or folder, to write.")
@click.option("--from", "source", help="A local file or another address; PyTorch's without it.")
def trunk(path: Path, source: str | None) -> None:
    """Fetch ResNet-50's ImageNet weights (torchvision's V1, 98 MB) and check them.

    \b
    Example: python -m r3cnn data trunk --to data
    """
    from .data.coco import fetch_trunk

    click.echo(f"{fetch_trunk(path, source)}: ResNet-50's weights, checksum as stated")


@click.command()
@click.option("--config", required=True, type=FILE, help="The resolved config of the evaluation.")
@click.option("--trained", required=True, type=FILE, help="Folder of the training's results.")
@click.option("--out", required=True, type=FILE, help="Folder of the results.")
def reuse(config: Path, trained: Path, out: Path) -> None:
    """Take the weights of a training that differs in its evaluation alone.

    \b
    Example: python -m r3cnn reuse --config c.py --trained trainings/r3_naive_inc/seed0 --out again
    """
    from .config import load_config
    from .reuse import reuse as take

    take(config, load_config(config), trained, out)


@click.command()
@click.option("--config", required=True, type=FILE, help="The resolved config of its model.")
@click.option("--source", required=True, help="A checkpoint: a file or an address.")
@click.option("--sha256", required=True, help="Its checksum, as its publisher states it.")
@click.option("--out", required=True, type=FILE, help="Folder of the results.")
def weights(config: Path, source: str, sha256: str, out: Path) -> None:
    """Take a checkpoint of elsewhere in place of a training. Reading a pickled one runs its code.

    \b
    Example: python -m r3cnn weights --config c.py --source zoo.pth --sha256 0f3b... --out trained
    """
    from .config import load_config
    from .given import take

    take(config, load_config(config), source, sha256, out)
