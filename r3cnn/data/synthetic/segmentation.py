"""A pixel mask as COCO writes it: polygons, or run lengths where it has holes."""

import numpy as np

Corner = tuple[int, int]


def encode(mask: np.ndarray) -> list[list[int]] | dict:
    """The COCO segmentation of a mask, bool [H, W]; decoding it gives the same pixels.

    COCO joins the polygons of an object, so a hole can only be said by run lengths.
    """
    loops = outlines(mask)
    if any(_signed_area(loop) < 0 for loop in loops):
        return run_lengths(mask)
    return [[coordinate for corner in loop for coordinate in corner] for loop in loops]


def run_lengths(mask: np.ndarray) -> dict:
    """Uncompressed RLE of a mask, bool [H, W]: down the columns, starting with background."""
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(np.concatenate([[0], changes, [flat.size]])).tolist()
    return {"counts": [0, *counts] if flat[0] else counts, "size": list(mask.shape)}


def bounding_box(mask: np.ndarray) -> list[int]:
    """COCO's [x, y, width, height] in pixels of a mask, bool [H, W], that is not empty."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    x, y = int(columns[0]), int(rows[0])
    return [x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1]


def outlines(mask: np.ndarray) -> list[list[Corner]]:
    """Closed loops of pixel corners (x, y) round a mask, bool [H, W].

    The mask lies to the right of the way: parts run clockwise on the screen, holes the other
    way round. Pixels that touch at a corner only are separate parts.
    """
    edges = dict.fromkeys(_boundary_edges(mask))
    loops = []
    while edges:
        first = edge = next(iter(edges))
        loop = []
        while True:
            del edges[edge]
            x, y, dx, dy = edge
            x, y = x + dx, y + dy
            # A right turn where two ways part keeps pixels that touch at a corner separate.
            turns = ((x, y, -dy, dx), (x, y, dx, dy), (x, y, dy, -dx))
            edge = next(turn for turn in turns if turn in edges or turn == first)
            if edge[2:] != (dx, dy):
                loop.append((x, y))
            if edge == first:
                break
        loops.append(loop)
    return loops


def _boundary_edges(mask: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Pixel sides between mask and background: start corner x, y and direction dx, dy."""
    padded = np.pad(mask, 1)
    core = padded[1:-1, 1:-1]
    sides = (
        (padded[:-2, 1:-1], 0, 0, 1, 0),
        (padded[1:-1, 2:], 1, 0, 0, 1),
        (padded[2:, 1:-1], 1, 1, -1, 0),
        (padded[1:-1, :-2], 0, 1, 0, -1),
    )
    edges = []
    for neighbour, right, down, dx, dy in sides:
        rows, columns = np.nonzero(core & ~neighbour)
        corners = zip((columns + right).tolist(), (rows + down).tolist(), strict=True)
        edges += [(x, y, dx, dy) for x, y in corners]
    return edges


def _signed_area(loop: list[Corner]) -> float:
    """Area in pixels: positive round a part, negative round a hole."""
    ends = loop[1:] + loop[:1]
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(loop, ends, strict=True)) / 2
