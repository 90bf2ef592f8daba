"""COCO's segmentations, judged before they reach pycocotools' C code, which checks nothing."""

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
    """What is left of a segmentation: its fault, or what can be judged only beside its image.

    size: an RLE's [height, width]; counts: its compressed run lengths; empty: it has no pixel; extent:
    the polygons' left, top, right and bottom.
    """

    fault: str | None = None
    size: list | None = None
    counts: str | None = None
    empty: bool = False
    extent: tuple[float, float, float, float] | None = None


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
            return Segmentation("a polygon that is no list of finite numbers found")
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
        return Segmentation("an RLE found whose counts are no list of whole numbers")
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
    texts = [code if isinstance(code, bytes) else code.encode("ascii", "ignore") for code in codes]
    whole = np.array([len(text) == len(code) for text, code in zip(texts, codes, strict=True)])
    sizes = np.array([len(text) for text in texts])
    characters = np.frombuffer(b"".join(texts), dtype=np.uint8)
    owner = np.repeat(np.arange(len(texts)), sizes)
    strange = (characters < FIRST) | (characters > LAST)
    readable = whole & (sizes > 0) & (np.bincount(owner[strange], minlength=len(texts)) == 0)
    bits = (characters - FIRST).astype(np.int64)
    last = np.cumsum(sizes) - 1
    ended = readable.copy()
    ended[readable] = (bits[last[readable]] & 32) == 0
    kept = ended[owner]
    total, area, sound = _decoded(bits[kept], owner[kept], len(texts))
    for i in range(len(texts)):
        if not readable[i]:
            yield Segmentation(f"an RLE whose counts are no run lengths ({codes[i]!r:.40}) found")
        elif not ended[i] or not sound[i]:
            yield Segmentation("an RLE found whose counts are cut off or damaged")
        elif total[i] != pixels[i]:
            yield Segmentation(f"an RLE of {total[i]} pixels found, expected {pixels[i]}")
        else:
            yield Segmentation(empty=not area[i])


def _decoded(
    bits: np.ndarray, owner: np.ndarray, codes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each code: the sum of its runs, the sum of every second one, and whether all are of 0 or more.

    A run is written as its difference to the one before the last, from the fourth on: 5 bits a character,
    the lowest first, in two's complement; the sixth bit says that more follow.
    """
    total, area = np.zeros((2, codes), dtype=np.int64)
    sound = np.ones(codes, dtype=bool)
    if not len(bits):
        return total, area, sound
    starts = np.concatenate([[0], np.flatnonzero((bits[:-1] & 32) == 0) + 1])
    digits = np.diff(starts, append=len(bits))
    place = np.minimum(np.arange(len(bits)) - np.repeat(starts, digits), DIGITS)
    value = np.add.reduceat((bits & 31) << (5 * place), starts)
    value -= np.where(bits[starts + digits - 1] & 16, 1 << (5 * np.minimum(digits, DIGITS + 1)), 0)
    owner = owner[starts]
    first = np.flatnonzero(np.diff(owner, prepend=-1))  # run of each code
    runs = np.diff(first, append=len(owner))
    index = np.arange(len(owner)) - np.repeat(first, runs)
    odd = index % 2 == 1
    run = value.copy()
    for lane in (odd, ~odd & (index > 0)):
        sums = np.cumsum(np.where(lane, value, 0))
        before = np.repeat(sums[first] - np.where(lane, value, 0)[first], runs)
        run[lane] = (sums - before)[lane]
    bad = (run < 0) | (digits > DIGITS)
    run[bad] = 0
    total[owner[first]] = np.add.reduceat(run, first)
    area[owner[first]] = np.add.reduceat(np.where(odd, run, 0), first)
    sound[owner[bad]] = False
    return total, area, sound
