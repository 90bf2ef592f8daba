"""Detections drawn on an image: masks, boxes and labels, for one number of loops or panel by panel."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pycocotools import mask as rle

SMALLEST, LARGEST, LARGEST_PANEL = 640, 2048, 900  # longest side of what is drawn, in pixels
OPACITY = 0.4
GAP = 10  # pixels between panels
INK, PAPER, FAINT = (30, 30, 30), (255, 255, 255), (110, 110, 110)
# bright, and far apart from each other on photographs
COLOURS = (
    (255, 89, 94), (25, 167, 255), (255, 202, 58), (138, 201, 38), (199, 125, 255), (255, 146, 43),
    (0, 201, 167), (247, 37, 133), (144, 224, 239), (214, 180, 134), (106, 76, 255), (200, 255, 60),
)  # fmt: skip
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Found:
    """One detection after `loop` loops, in pixels of the picture.

    box: x, y, width, height; mask: run lengths of the picture's size, or of a smaller one of its shape;
    track: the number that it keeps from loop to loop.
    """

    loop: int
    name: str
    score: float
    mask_score: float
    box: tuple[float, float, float, float]
    mask: dict
    track: int | None = None


def draw(picture: np.ndarray, found: Sequence[Found]) -> Image.Image:
    """The picture (H, W, 3; RGB) with its detections, best score first; small pictures are enlarged."""
    scaled, factor = _resized(picture, SMALLEST, LARGEST)
    colours = [COLOURS[i % len(COLOURS)] for i in range(len(found))]
    labels = [f"{item.name} {item.score:.2f}" for item in found]
    return _with(scaled, factor, found, colours, labels)


def panels(picture: np.ndarray, loops: dict[int, Sequence[Found]]) -> Image.Image:
    """One panel for each loop: an object keeps its colour, and its earlier box stays as a dashed line."""
    scaled, factor = _resized(picture, SMALLEST, LARGEST_PANEL)
    font = _font(scaled)
    head = 2 * font.size
    width = scaled.shape[1]
    sheet = Image.new("RGB", ((width + GAP) * len(loops) - GAP, scaled.shape[0] + head), PAPER)
    pen = ImageDraw.Draw(sheet)
    earlier: dict[int, Found] = {}
    for number, (loop, found) in enumerate(loops.items()):
        colours = [COLOURS[item.track % len(COLOURS)] for item in found]
        labels = [_moved(item, earlier.get(item.track), number) for item in found]
        panel = _with(scaled, factor, found, colours, labels, list(earlier.values()))
        left = number * (width + GAP)
        sheet.paste(panel, (left, head))
        pen.text((left + 4, head / 2), _summary(loop, found), INK, font, anchor="lm")
        earlier = {item.track: item for item in found}
    return sheet


def _moved(item: Found, before: Found | None, number: int) -> str:
    """The label of a detection: its score, and how that changed since the panel before."""
    text = f"{item.name} {item.score:.2f}"
    if before is not None:
        change = round(item.score - before.score, 2) + 0.0  # never -0.00
        return f"{text} ({change:+.2f})"
    return f"{text} (new)" if number else text


def _summary(loop: int, found: Sequence[Found]) -> str:
    if not found:
        return f"Loop {loop}: nothing found"
    mean = sum(item.score for item in found) / len(found)
    return f"Loop {loop}: {len(found)} found, mean score {mean:.2f}"


def _resized(picture: np.ndarray, smallest: int, largest: int) -> tuple[np.ndarray, float]:
    """The picture with a longest side between the two, and the factor."""
    height, width = picture.shape[:2]
    longest = max(height, width)
    factor = min(max(longest, smallest), largest) / longest
    size = max(1, round(width * factor)), max(1, round(height * factor))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return (picture if factor == 1 else cv2.resize(picture, size, interpolation=how)), factor


def _font(picture: np.ndarray) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(max(13, round(max(picture.shape[:2]) / 50)))


def _with(
    picture: np.ndarray,
    factor: float,
    found: Sequence[Found],
    colours: Sequence[Colour],
    labels: Sequence[str],
    earlier: Sequence[Found] = (),
) -> Image.Image:
    """A copy of the scaled picture with everything on it; the best-scored lie on top."""
    pixels = picture.copy()
    line = max(2, round(max(picture.shape[:2]) / 450))
    for item, colour in reversed(list(zip(found, colours, strict=True))):
        _draw_mask(pixels, item, colour, line)
    image = Image.fromarray(pixels)
    pen = ImageDraw.Draw(image)
    colour_of = {item.track: colour for item, colour in zip(found, colours, strict=True)}
    for item in earlier:
        _draw_dashed(pen, _corners(item, factor), colour_of.get(item.track, FAINT), line)
    for item, colour in reversed(list(zip(found, colours, strict=True))):
        pen.rectangle(_corners(item, factor), outline=colour, width=line)
    _draw_labels(
        pen, image.size, _font(picture), list(zip(found, colours, labels, strict=True)), factor
    )
    return image


def _corners(item: Found, factor: float) -> tuple[float, float, float, float]:
    x, y, width, height = (side * factor for side in item.box)
    return x, y, x + max(width, 1), y + max(height, 1)


def _draw_mask(pixels: np.ndarray, item: Found, colour: Colour, line: int) -> None:
    height, width = pixels.shape[:2]
    mask = cv2.resize(rle.decode(item.mask), (width, height), interpolation=cv2.INTER_LINEAR_EXACT)
    inside = mask.astype(bool)
    pixels[inside] = (pixels[inside] * (1 - OPACITY) + np.array(colour) * OPACITY).astype(np.uint8)
    rings, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(pixels, rings, -1, colour, max(1, line // 2), cv2.LINE_AA)


def _draw_dashed(pen: ImageDraw.ImageDraw, box: tuple, colour: Colour, line: int) -> None:
    x0, y0, x1, y1 = box
    for (ax, ay), (bx, by) in (
        ((x0, y0), (x1, y0)),
        ((x1, y0), (x1, y1)),
        ((x1, y1), (x0, y1)),
        ((x0, y1), (x0, y0)),
    ):
        length = max(abs(bx - ax) + abs(by - ay), 1)
        for start in np.arange(0, length, 8 * line):
            ends = np.array([start, min(start + 4 * line, length)]) / length
            pen.line([(ax + t * (bx - ax), ay + t * (by - ay)) for t in ends], colour, line)


def _draw_labels(
    pen: ImageDraw.ImageDraw,
    size: tuple[int, int],
    font: ImageFont.FreeTypeFont,
    labelled: Sequence[tuple[Found, Colour, str]],
    factor: float,
) -> None:
    """A label at a corner of each box, where no better-scored one stands; else behind it."""
    taken: list[tuple[float, float, float, float]] = []
    for item, _, text in labelled:
        width, height = font.getlength(text) + 8, sum(font.getmetrics()) + 2
        places = _places(_corners(item, factor), width, height, size)
        free = (place for place in places if not _any_overlap(place, taken))
        taken.append(next(free, places[0]))
    for (_, colour, text), box in reversed(list(zip(labelled, taken, strict=True))):
        pen.rectangle(box, fill=colour)
        dark = 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2] > 120
        middle = (box[0] + 4, (box[1] + box[3]) / 2)
        pen.text(middle, text, INK if dark else PAPER, font, anchor="lm")


def _places(box: tuple, width: float, height: float, size: tuple[int, int]) -> list[tuple]:
    """Where a label may stand, best first: above the box, below it, within it; always in the picture."""
    x0, y0, x1, y1 = box
    wished = ((x0, y0 - height), (x0, y1), (x1 - width, y0 - height), (x0, y0), (x0, y1 - height))
    places = []
    for x, y in wished:
        left = min(max(x, 0), max(size[0] - width - 1, 0))
        top = min(max(y, 0), max(size[1] - height - 1, 0))
        places.append((left, top, left + width, top + height))
    return places


def _any_overlap(box: tuple, others: Sequence[tuple]) -> bool:
    return any(
        box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]
        for other in others
    )
