"""The user's own images: which files they are, their pixels, and the names of the drawn images."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..core.errors import UserError
from ..data.headers import LARGEST, turned

SUFFIXES = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".gif",
    ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".avif",
}  # fmt: skip
WHITE = (255, 255, 255, 255)
SIXTEEN_TO_EIGHT = 257


def find(given: Sequence[Path], out: Path) -> list[tuple[Path, Path]]:
    """Every picture with its name below `out`, without a suffix: files as given, folders with what they hold.

    Folders are searched with their subfolders for pictures by suffix, in order of name; what is hidden, and
    what is in `out`, is passed over. Raises UserError where nothing is found, or `out` would lose an image.
    """
    found: list[tuple[Path, Path]] = []
    for path in given:
        if path.is_dir():
            inside = [(file, file.relative_to(path)) for file in _pictures_below(path, out)]
            if not inside:
                raise UserError(
                    f"{path}: no images in this folder (looked for {' '.join(sorted(SUFFIXES))}); "
                    "name a folder with images, or a file"
                )
            found += inside
        else:
            found.append((path, Path(path.name)))
    return _named(found, out)


def _pictures_below(folder: Path, out: Path) -> Iterable[Path]:
    kept_out = out.resolve()
    for where, folders, files in os.walk(folder):
        here = Path(where)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and (here / name).resolve() != kept_out
        )
        for name in sorted(files):
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith("."):
                yield here / name


def _named(found: list[tuple[Path, Path]], out: Path) -> list[tuple[Path, Path]]:
    """Names that are all different: a.jpg and a.png become a and a-2."""
    sources = {source.resolve() for source, _ in found}
    taken: set[str] = set()
    named = []
    for source, relative in found:
        stem = relative.with_suffix("")
        name, number = stem, 1
        while str(name).lower() in taken:
            number += 1
            name = stem.with_name(f"{stem.name}-{number}")
        taken.add(str(name).lower())
        if drawn(out / name).resolve() in sources:
            raise UserError(
                f"--out {out}: {drawn(out / name)} is one of the input images and would be overwritten; "
                "choose another folder"
            )
        named.append((source, out / name))
    return named


def drawn(name: Path) -> Path:
    """The file of the drawn picture of a name that `find` gave."""
    return name.with_name(f"{name.name}.jpg")


def beside(name: Path) -> Path:
    """The JSON file that stands next to it."""
    return name.with_name(f"{name.name}.json")


def read(path: Path) -> np.ndarray:
    """Pixels (H, W, 3) of an image as a person sees it: uint8, RGB, turned upright, on white where transparent.

    16 bits a channel become 8; of several frames the first is read. Raises UserError where it is not an image.
    """
    Image.MAX_IMAGE_PIXELS = LARGEST // 2  # Pillow refuses twice as many
    try:
        with Image.open(path) as opened:
            return np.array(_as_seen(opened))
    except UnidentifiedImageError as error:
        raise UserError(f"{path}: not an image, or an unsupported format") from error
    except Image.DecompressionBombError as error:
        raise UserError(
            f"{path}: more than {LARGEST // 10**6} million pixels; make it smaller"
        ) from error
    except MemoryError as error:
        raise UserError(f"{path}: too large for this machine's memory; make it smaller") from error
    except Exception as error:  # Pillow's readers raise whatever comes to their minds
        if getattr(error, "errno", None) is not None:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from error
        raise UserError(
            f"{path}: cut off or broken ({' '.join(str(error).split()) or type(error).__name__}); download it "
            "again, or save it again as JPEG or PNG"
        ) from error


def _as_seen(picture: Image.Image) -> Image.Image:
    picture.load()  # a PNG may say its orientation behind the pixels
    picture = turned(picture)
    if picture.mode == "F":
        raise ValueError("pixels are floating-point numbers, expected integers")
    if picture.mode.startswith("I"):  # Pillow's own conversion would clip 16 bits to 255
        eight = np.asarray(picture).clip(0, 0xFFFF) // SIXTEEN_TO_EIGHT
        picture = Image.fromarray(eight.astype(np.uint8))
    if picture.has_transparency_data:
        ground = Image.new("RGBA", picture.size, WHITE)
        picture = Image.alpha_composite(ground, picture.convert("RGBA"))
    return picture.convert("RGB")
