"""Check COCO's segmentations before they reach pycocotools' C code, which does not check them."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

# Pixels: how far a point may lie from the image's corner, and how long an outline may be. pycocotools keeps
# each fifth of a pixel of an outline in memory, and counts in 32 bits.
REACH = 2**20
PIXELS = 2**31 - 1  # of an image, for the same reason
FIRST, LAST = ord("0"), ord("0") + 63  # characters of compressed run lengths: 6 bits each
DIGITS = 7  # of a run length, 5 bits each; more than 32 bits are no run of an image
CHARACTERS = 2**16  # decoded at a time, so that they stay in the processor's cache


class Segmentation(NamedTuple):
    """A parsed segmentation: its fault, or the parts that can be checked only with its image.

    size: an RLE's [height, width]; counts: its compressed run lengths; empty: it has no pixel; extent:
    the polygons' left, top, right and bottom.
    """

    fault: str | None = None
    size: list | None = None
    counts: str | None = None
    empty: bool = False
    extent: tuple[float, float, float, float] | None = None


SOUND, EMPTY = Segmentation(), Segmentation(empty=True)


def examine(segmentation: object) -> Segmentation:
    """Judge a COCO segmentation: a list of polygons, or an RLE with counts and size."""
    if isinstance(segmentation, dict):
        return _examine_run_lengths(segmentation)
    if not isinstance(segmentation, list):
        return Segmentation(f"{segmentation!r:.60} found, expected polygons or an RLE")
    if not segmentation:
        return Segmentation("no polygon found, expected one at least")
    extents = []
    for polygon in segmentation:
        if not isinstance(polygon, list) or not _all_finite(polygon):
            return Segmentation("a polygon that is not a list of finite numbers found")
        if len(polygon) < 6 or len(polygon) % 2:
            return Segmentation(
                f"a polygon of {len(polygon)} numbers found, expected an even count of 6 or more "
                "(x, y of 3 points at least)"
            )
        xs, ys = polygon[::2], polygon[1::2]
        extent = min(xs), min(ys), max(xs), max(ys)
        if fault := _outline_fault(xs, ys, extent):
            return Segmentation(fault)
        extents.append(extent)
    if len(extents) == 1:
        return Segmentation(extent=extents[0])
    lefts, tops, rights, bottoms = zip(*extents, strict=True)
    return Segmentation(extent=(min(lefts), min(tops), max(rights), max(bottoms)))


def _outline_fault(xs: list, ys: list, extent: tuple) -> str | None:
    left, top, right, bottom = extent
    if left < -REACH or top < -REACH or right > REACH or bottom > REACH:
        far = max(zip(xs, ys, strict=True), key=lambda point: max(map(abs, point)))
        return f"a point at {far[0]}, {far[1]} found, expected its pixels within the image"
    if len(xs) * max(right - left, bottom - top) <= REACH:
        return None
    around = itertools.pairwise(zip([*xs, xs[0]], [*ys, ys[0]], strict=True))
    length = sum(max(abs(x - u), abs(y - v)) for (x, y), (u, v) in around)
    if length > REACH:
        return f"an outline of {length:.0f} pixels found, expected {REACH} at most"
    return None


def _examine_run_lengths(rle: dict) -> Segmentation:
    size, counts = rle.get("size"), rle.get("counts")
    if not isinstance(size, list) or len(size) != 2 or not all(type(n) is int for n in size):
        return Segmentation(f"an RLE of size {size!r:.60} found, expected [height, width]")
    if isinstance(counts, str):
        return Segmentation(size=size, counts=counts)
    if not isinstance(counts, list) or not all(type(n) is int and n >= 0 for n in counts):
        return Segmentation("an RLE found whose counts are not a list of whole numbers")
    if sum(counts) != size[0] * size[1]:
        return Segmentation(f"an RLE of {sum(counts)} pixels found, expected {size[0]} x {size[1]}")
    return Segmentation(size=size, empty=not any(counts[1::2]))


def _all_finite(values: list) -> bool:
    # A sum is quick over COCO's tens of millions of numbers, and not finite if one is not.
    try:
        return math.isfinite(sum(values))
    except (TypeError, OverflowError):
        return False


# ------------------------------------------------------------------ compressed run lengths


def examine_codes(codes: Sequence[str | bytes], pixels: Sequence[int]) -> Iterator[Segmentation]:
    """Judge compressed run lengths, many at a time: `pixels` is height x width of each.

    pycocotools never ends, or leaves its memory, where they are not those of an image of this size.
    """
    start = 0
    while start < len(codes):
        end, characters = start, 0
        while end < len(codes) and (end == start or characters + len(codes[end]) <= CHARACTERS):
            characters += len(codes[end])
            end += 1
        yield from _examine_some(codes[start:end], np.array(pixels[start:end], dtype=np.int64))
        start = end


def _examine_some(codes: Sequence[str | bytes], pixels: np.ndarray) -> Iterator[Segmentation]:
    texts = [code if isinstance(code, bytes) else code.encode("ascii", "replace") for code in codes]
    ends = np.cumsum([len(text) for text in texts])
    characters = np.frombuffer(b"".join(texts), dtype=np.uint8)
    strange = np.flatnonzero((characters < FIRST) | (characters > LAST))
    unreadable = set(np.searchsorted(ends, strange, "right").tolist())
    unreadable |= {i for i, code in enumerate(codes) if not code or not code.isascii()}
    cut = {i for i, text in enumerate(texts) if text and (text[-1] - FIRST) & 32}
    decoded = [i for i in range(len(codes)) if i not in unreadable and i not in cut]
    sums = iter(zip(*_sums([texts[i] for i in decoded]), strict=True))
    for i, code in enumerate(codes):
        if i in unreadable:
            yield Segmentation(f"an RLE whose counts are not run lengths ({code!r:.40}) found")
            continue
        total, area, sound = (0, 0, False) if i in cut else next(sums)
        if not sound:
            yield Segmentation("an RLE found whose counts are cut off or damaged")
        elif total != pixels[i]:
            yield Segmentation(f"an RLE of {total} pixels found, expected {pixels[i]}")
        else:
            yield EMPTY if area == 0 else SOUND


def _sums(codes: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each code: the sum of its runs, the sum of every second one, and whether all are of 0 or more.

    A run is written as its difference to the one before the last, from the fourth on: 5 bits a character,
    the lowest first, in two's complement; the sixth bit says that more follow.
    """
    if not codes:
        return np.zeros(0), np.zeros(0), np.zeros(0)
    bits = np.frombuffer(b"".join(codes), dtype=np.uint8) - FIRST
    last = (bits & 32) == 0
    stops = np.flatnonzero(last)
    starts = np.concatenate([[0], stops[:-1] + 1])
    value = _values(bits, starts, stops)
    lengths = np.array([len(code) for code in codes])
    runs = np.add.reduceat(last.astype(np.int64), np.cumsum(lengths) - lengths)
    first = np.cumsum(runs) - runs  # run of each code
    index = np.arange(len(value)) - np.repeat(first, runs)
    odd = index % 2 == 1
    run = np.where(index == 0, value, 0)
    for lane in (odd, ~odd & (index > 0)):
        part = np.where(lane, value, 0)
        sums = np.cumsum(part)
        run += np.where(lane, sums - np.repeat((sums - part)[first], runs), 0)
    bad = (run < 0) | (stops - starts >= DIGITS)
    run[bad] = 0
    sound = np.add.reduceat(bad.astype(np.int64), first) == 0
    return np.add.reduceat(run, first), np.add.reduceat(np.where(odd, run, 0), first), sound


def _values(bits: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """The numbers that stand from `starts` to `stops`, by their first digits; more are a fault."""
    value = (bits[starts] & 31).astype(np.int64)
    for place in range(1, DIGITS):
        longer = np.flatnonzero(stops - starts >= place)
        value[longer] |= (bits[starts[longer] + place] & 31).astype(np.int64) << (5 * place)
    digits = np.minimum(stops - starts + 1, DIGITS)
    return value - np.where(bits[stops] & 16, np.int64(1) << (5 * digits), 0)
