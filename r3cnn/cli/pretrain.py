"""The command that makes the initial weights of small scales."""

from pathlib import Path

import click

from ..core.errors import UserError
from .common import FILE

CARD = """# {name}

Backbone (a ResNet of one bottleneck block a stage), neck (FPN) and RPN for the small scales, float16, tensors
only. No RoI head: those are always trained from scratch. Made by

    r3cnn pretrain --scale {scale} --seed {seed} --out {name}

| | |
|---|---|
| SHA-256 | `{sha256}` |
| images | {images} generated ones, {width} x {height} pixels, {classes} classes; {left_out} are left out |
| first part | the backbone tells the classes of crops of objects: {crops} |
| second part | backbone, neck and RPN, by the RPN's loss alone: {proposals} |
| crops left out whose class is found | {accuracy:.1%} |
| objects left out that one of 100 proposals meets | {recall_50:.1%} with IoU 0.5, {recall_70:.1%} with IoU 0.7 |
| processor seconds | {seconds:.0f}, one thread |
| versions | {versions} |

The images are drawn as the scales' are, with the same classes, but are a split of their own: none of them is a
training or validation image of any scale. No RoI head takes part, so the task favours none of the compared models.
Meant for these generated images only. On another processor the last digits differ, and so does the checksum.
License: that of the project.
"""


@click.command()
@click.option("--scale", required=True, help="Scale with a small network and generated images.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--out",
    required=True,
    type=FILE,
    help="File of weights to write; a model card is written next to it.",
)
def pretrain(scale: str, seed: int, out: Path) -> None:
    """Train the initial backbone, neck and RPN of small scales.

    \b
    Example:
      python -m r3cnn pretrain --scale quick --out shapes.pth
    """
    from ..catalogue import load_catalogue, load_scale
    from ..config.resolve import resolve
    from ..core.files import sha256_of, write_atomically
    from ..training.pretrain import pretrain as train

    settings = load_scale(scale)
    if settings.network is None or "shapes" not in settings.data:
        raise UserError(
            f"{settings.path}: expected a small `network` and `data: shapes`, because `pretrain` is only for "
            "such scales; name one, such as quick"
        )
    cfg = resolve(load_catalogue().trainings["mask_1x"], settings, seed, None, "random")
    facts = train(settings, cfg, out, seed)
    sha256 = sha256_of(out)
    names = {"name": out.name, "scale": settings.name, "sha256": sha256}
    write_atomically(out.with_suffix(".md"), CARD.format(**names, **facts))
    click.echo(f"pretrained: {{file: {out}, sha256: {sha256}}}")
