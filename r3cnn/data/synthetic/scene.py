"""One generated image and its objects: textured shapes that hide one another."""

import itertools
import math
from dataclasses import dataclass, field

import numpy as np

from . import drawing

SMALLEST = 14  # diameter in pixels
LARGEST = 1.2  # diameter over the image's shorter side
CUT_OFF = 0.2  # the most of a diameter that a border of the image may cut off
MIN_VISIBLE = 0.35  # part of an object that the border and later objects must leave
CLASS_SPREAD = 40  # grey levels, in each channel, about a class's own colour
CONTRAST = 60  # grey levels, in one channel at least, between an object and what it covers
TRIES = 20
CROWD_EVERY, CROWD_FIRST = 5, 1
EMPTY_EVERY, EMPTY_FIRST = 10, 7  # no image that a crowd falls to


@dataclass
class Instance:
    """An object or a crowd of one class; `visible` is a mask, bool [H, W]."""

    category: int
    crowd: bool
    visible: np.ndarray
    whole_area: int


@dataclass
class Scene:
    """An image [H, W, 3] as it is painted, and its instances from back to front.

    class_colours: each class is painted near a colour of its own, else in any.
    """

    pixels: np.ndarray
    instances: list[Instance] = field(default_factory=list)
    class_colours: bool = False


def draw(
    rng: np.random.Generator,
    index: int,
    width: int,
    height: int,
    classes: int,
    objects: tuple[int, int],
    class_colours: bool = False,
) -> Scene:
    """Paint image `index` of a split: every tenth has no objects, every fifth a crowd.

    `objects` is the least and the greatest number of objects tried.
    """
    scene = Scene(_background(rng, height, width), class_colours=class_colours)
    if index % EMPTY_EVERY != EMPTY_FIRST:
        for diameter in _diameters(rng, min(width, height), objects):
            _add_object(scene, rng, int(rng.integers(classes)), diameter)
        if index % CROWD_EVERY == CROWD_FIRST:
            _add_crowd(scene, rng, int(rng.integers(classes)))
    scene.pixels = _finish(scene.pixels, rng)
    return scene


def _finish(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    noise = rng.integers(-10, 11, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def _background(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    low, high = rng.integers(0, 256, (2, 3))
    pattern = drawing.clouds(rng, height, width, cell=int(rng.integers(20, 60)))
    return drawing.blend(0.7 * pattern + 0.3 * drawing.texture(rng, height, width), low, high)


def _diameters(rng: np.random.Generator, side: int, objects: tuple[int, int]) -> list[float]:
    """Diameters in pixels, even on a log scale; by tendency the large come first, behind."""
    count = rng.integers(objects[0], objects[1] + 1)
    logs = rng.uniform(math.log(SMALLEST), math.log(LARGEST * side), count).tolist()
    return sorted(map(math.exp, logs), key=lambda d: d * rng.uniform(0.4, 1), reverse=True)


def _add_object(scene: Scene, rng: np.random.Generator, category: int, diameter: float) -> None:
    height, width = scene.pixels.shape[:2]
    shape = _random_shape(rng, category, diameter)
    inset = min((0.5 - CUT_OFF) * diameter, width / 2, height / 2)
    for _ in range(TRIES):
        x, y = rng.uniform(inset, width - inset), rng.uniform(inset, height - inset)
        mask = _placed(shape, int(x), int(y), (height, width))
        instance = Instance(category, False, mask, int(shape.sum()))
        if _leaves_enough(scene, instance):
            _cover(scene, instance)
            _paint(scene, rng, mask)
            return


def _add_crowd(scene: Scene, rng: np.random.Generator, category: int) -> None:
    """Many small objects of one class close together, as one region."""
    height, width = scene.pixels.shape[:2]
    for _ in range(TRIES):
        x, y = rng.integers(20, width - 20), rng.integers(20, height - 20)
        members = []
        for dx, dy in rng.integers(-25, 26, (rng.integers(7, 13), 2)):
            shape = _random_shape(rng, category, rng.uniform(9, 15))
            members.append(_placed(shape, x + dx, y + dy, (height, width)))
        mask = np.any(members, axis=0)
        instance = Instance(category, True, mask, int(mask.sum()))
        if _leaves_enough(scene, instance):
            _cover(scene, instance)
            for member in members:
                _paint(scene, rng, member)
            return


def _random_shape(rng: np.random.Generator, category: int, diameter: float) -> np.ndarray:
    stretch, angle = rng.uniform(0.8, 1.25), rng.uniform(-0.5, 0.5)
    return drawing.shape_mask(list(drawing.SHAPES)[category], diameter, stretch, angle)


def _placed(shape: np.ndarray, x: int, y: int, size: tuple[int, int]) -> np.ndarray:
    """A shape [S, S] about pixel (x, y) of a mask, bool [H, W]; the border cuts it off."""
    margin = shape.shape[0]
    canvas = np.zeros((size[0] + 2 * margin, size[1] + 2 * margin), bool)
    top, left = y + margin - margin // 2, x + margin - margin // 2
    canvas[top : top + margin, left : left + margin] = shape
    return canvas[margin:-margin, margin:-margin]


def _leaves_enough(scene: Scene, new: Instance) -> bool:
    """Whether enough is seen of the new instance and, behind it, of each earlier one."""
    if new.visible.sum() < MIN_VISIBLE * new.whole_area:
        return False
    return all(
        (old.visible & ~new.visible).sum() >= MIN_VISIBLE * old.whole_area
        for old in scene.instances
    )


def _cover(scene: Scene, new: Instance) -> None:
    for old in scene.instances:
        old.visible = old.visible & ~new.visible
    scene.instances.append(new)


def _paint(scene: Scene, rng: np.random.Generator, mask: np.ndarray) -> None:
    """Fill a mask of the newest instance with a texture that stands out from what it covers.

    In the colours of its class it may not: then the last try is taken.
    """
    if not mask.any():
        return
    covered = scene.pixels[mask].sum(axis=0) // mask.sum()
    for tried in itertools.count(1):
        low = _first_colour(scene, rng)
        high = np.clip(low + rng.integers(-60, 61, 3), 0, 255)
        if min(np.abs(low - covered).max(), np.abs(high - covered).max()) >= CONTRAST:
            break
        if scene.class_colours and tried == TRIES:
            break
    pattern = drawing.texture(rng, *mask.shape)
    scene.pixels[mask] = drawing.blend(pattern[mask], low, high)


def _first_colour(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    if not scene.class_colours:
        return rng.integers(0, 256, 3)
    own = drawing.CLASS_COLOURS[scene.instances[-1].category]
    return np.clip(own + rng.integers(-CLASS_SPREAD, CLASS_SPREAD + 1, 3), 0, 255)
