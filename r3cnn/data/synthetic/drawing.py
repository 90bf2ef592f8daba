"""Shapes and textures of the generated images; u points right, v down, shapes fill [-1, 1]."""

import math
from collections.abc import Callable

import numpy as np

Array = np.ndarray


def _polygon(*corners: tuple[float, float]) -> Callable[[Array, Array], Array]:
    """Inside test of a polygon by the even-odd rule."""

    def inside(u: Array, v: Array) -> Array:
        odd = np.zeros(u.shape, bool)
        for (u0, v0), (u1, v1) in zip(corners, corners[1:] + corners[:1], strict=True):
            if v0 != v1:
                crossing = u0 + (v - v0) * ((u1 - u0) / (v1 - v0))
                odd ^= ((v0 <= v) != (v1 <= v)) & (u < crossing)
        return odd

    return inside


def _reach(u: Array, v: Array) -> Array:
    return np.maximum(np.abs(u), np.abs(v))


def _star_corner(i: int) -> tuple[float, float]:
    radius, angle = (1.1, 0.5)[i % 2], math.pi * i / 5
    return radius * math.sin(angle), -radius * math.cos(angle)


# The classes, in the order in which `classes: N` takes them.
SHAPES: dict[str, Callable[[Array, Array], Array]] = {
    "disc": lambda u, v: u * u + v * v <= 1,
    "square": lambda u, v: _reach(u, v) <= 0.95,
    "triangle": _polygon((0, -1), (1, 0.85), (-1, 0.85)),
    "ring": lambda u, v: (u * u + v * v <= 1) & (u * u + v * v >= 0.3),
    "star": _polygon(*(_star_corner(i) for i in range(10))),
    "cross": lambda u, v: (_reach(u, v) <= 1) & (np.minimum(np.abs(u), np.abs(v)) <= 0.33),
    "bar": lambda u, v: (np.abs(u) <= 1) & (np.abs(v) <= 0.33),
    "crescent": lambda u, v: (u * u + v * v <= 1) & ((u - 0.45) ** 2 + v * v >= 0.55),
    "frame": lambda u, v: (_reach(u, v) <= 0.95) & (_reach(u, v) >= 0.5),
    "hourglass": lambda u, v: (np.abs(v) <= 1) & (np.abs(u) <= 0.2 + 0.7 * np.abs(v)),
    "arrow": _polygon(
        (-1, -0.3), (0.1, -0.3), (0.1, -0.9), (1, 0), (0.1, 0.9), (0.1, 0.3), (-1, 0.3)
    ),
    "corner": _polygon(
        (-0.9, -0.9), (-0.3, -0.9), (-0.3, 0.3), (0.9, 0.3), (0.9, 0.9), (-0.9, 0.9)
    ),
}


# A colour for each class, far from the others: for data whose classes differ in more than their outline.
CLASS_COLOURS = np.array(
    [
        (220, 40, 40), (40, 200, 60), (40, 70, 220), (230, 220, 50), (200, 50, 210), (50, 210, 220),
        (240, 140, 30), (120, 60, 20), (240, 240, 240), (30, 30, 30), (130, 130, 130), (20, 90, 60),
    ]
)  # fmt: skip


def shape_mask(shape: str, diameter: float, stretch: float, angle: float) -> Array:
    """The pixels of a shape about the middle of a bool array [S, S].

    `diameter` in pixels; `stretch` is width over height before the turn by `angle` (radians).
    """
    side = 2 * math.ceil(0.8 * diameter)
    centred = (np.arange(side) - (side - 1) / 2) * (2 / diameter)
    x, y = np.meshgrid(centred, centred)
    u = (x * math.cos(angle) + y * math.sin(angle)) / math.sqrt(stretch)
    v = (y * math.cos(angle) - x * math.sin(angle)) * math.sqrt(stretch)
    return SHAPES[shape](u, v)


def texture(rng: np.random.Generator, height: int, width: int) -> Array:
    """A random pattern in [0, 1], float [H, W]: stripes, checks, clouds or speckle."""
    angle, period = rng.uniform(0, math.pi), rng.uniform(4, 16)
    y, x = np.mgrid[:height, :width] / period
    across = x * math.cos(angle) + y * math.sin(angle)
    along = y * math.cos(angle) - x * math.sin(angle)
    kind = rng.integers(4)
    if kind == 0:
        return np.floor(across) % 2
    if kind == 1:
        return (np.floor(across) + np.floor(along)) % 2
    if kind == 2:
        return clouds(rng, height, width, cell=rng.integers(6, 20))
    return rng.random((height, width))


def clouds(rng: np.random.Generator, height: int, width: int, cell: int) -> Array:
    """Smooth noise in [0, 1], float [H, W]: random values `cell` pixels apart, interpolated."""
    grid = rng.random((height // cell + 2, width // cell + 2))
    rows, columns = np.arange(height) / cell, np.arange(width) / cell
    top, left = rows.astype(int), columns.astype(int)
    down, right = (rows - top)[:, None], columns - left
    upper = grid[top][:, left] * (1 - right) + grid[top][:, left + 1] * right
    lower = grid[top + 1][:, left] * (1 - right) + grid[top + 1][:, left + 1] * right
    return upper * (1 - down) + lower * down


def blend(pattern: Array, low: Array, high: Array) -> Array:
    """Colours [..., 3], int: `low` where the pattern [...] is 0, `high` where it is 1."""
    return (low + pattern[..., None] * (high - low)).astype(int)
