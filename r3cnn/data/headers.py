"""Read an image's header: its size as stored, and its EXIF orientation."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

ORIENTATION = 0x0112  # EXIF's tag
TURNED = frozenset({5, 6, 7, 8})  # by a quarter: width and height change places
LARGEST = 1_000_000_000  # pixels: 3 GB in memory


@dataclass(frozen=True)
class Header:
    """Width and height in pixels as stored, and EXIF's orientation (1: upright)."""

    size: tuple[int, int]
    orientation: int

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height once it is turned, as every reader of this project turns it."""
        return self.size[::-1] if self.orientation in TURNED else self.size

    @property
    def too_large(self) -> bool:
        """Whether it has more pixels than the readers take."""
        return self.size[0] * self.size[1] > LARGEST


def orientation_of(picture: Image.Image) -> int:
    """EXIF's orientation, 1 to 8. Other places for it are left out, as OpenCV and browsers do."""
    for key in ("xmp", "XML:com.adobe.xmp", "Raw profile type exif"):
        picture.info.pop(key, None)
    exif = Image.Image.getexif(picture)  # that of a PNG would decode all of it
    found = exif.get(ORIENTATION, 1)
    return found if found in range(1, 9) else 1


def turned(picture: Image.Image) -> Image.Image:
    """The picture as it is shown."""
    return picture if orientation_of(picture) == 1 else ImageOps.exif_transpose(picture)


def header(path: Path, whole: bool = False) -> Header | None:
    """What the first bytes of a file say; None where Pillow finds no image in it.

    whole: read all of it, for a PNG may say its orientation behind the pixels.
    """
    Image.MAX_IMAGE_PIXELS = None  # the caller looks at the size
    try:
        with Image.open(path) as opened:
            if whole and opened.format == "PNG":
                opened.load()
            orientation, size = orientation_of(opened), opened.size
            if (
                opened.format == "TIFF" and orientation in TURNED
            ):  # Pillow has turned its size already
                size = size[::-1]
            return Header(size, orientation)
    except Exception:  # its readers raise whatever comes to their minds
        return None


def size_fault(path: Path, found: Header, expected: tuple[int, int]) -> str | None:
    """The line about an image that is too large, or not of the expected (width, height); None for others."""
    stored, shown, wanted = (
        "{} x {}".format(*size) for size in (found.size, found.shown, expected)
    )
    if found.too_large:
        return (
            f"{path}: {stored} pixels found, expected {LARGEST // 10**6} million at most; make it smaller, or cut "
            "it into pieces"
        )
    if found.shown == tuple(expected):
        return None
    if found.orientation in TURNED and found.size == tuple(expected):
        return (
            f"{path}: {shown} pixels found, expected the annotation's {wanted}: that is its size as stored, but "
            f"its EXIF orientation ({found.orientation}) turns it before it is read; write the size as shown into "
            "the annotations, with boxes to match, or remove the EXIF orientation from the pictures"
        )
    return (
        f"{path}: {shown} pixels found, expected the annotation's {wanted}; "
        "fetch the image again, or correct its width and height there"
    )
