"""Images and crops of generated objects that no data set of a scale holds; a backbone is pre-trained on them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from .. import SPLITS
from . import scene, segmentation

OWN_SPLIT = len(SPLITS)  # data sets draw image i of a split from (seed, the split's number, i)
SMALLEST = 32  # pixels, so that a small object is enlarged no more than twice
MARGIN = (1.0, 1.6)  # side of a crop over the longer side of its object
SHIFT = 0.15  # the most that a crop's middle lies off its object's, over the crop's side


def draw_scenes(shapes: Mapping[str, Any], seed: int, count: int) -> Iterator[scene.Scene]:
    """Draw images like those of a scale's `data: shapes`, of a split that no data set has."""
    size = shapes["width"], shapes["height"]
    kind = shapes["classes"], shapes.get("objects", (1, 6)), shapes.get("class_colours", False)
    for index in range(count):
        rng = np.random.default_rng([seed, OWN_SPLIT, index])
        yield scene.draw(rng, index, *size, *kind)


def crop_objects(
    drawn: Sequence[scene.Scene], side: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Crop every object of every scene: pixels, uint8 [N, side, side, 3], and classes, int64 [N].

    A crop is a square about the object's visible part, at a random scale and place; crowds are left out.
    """
    rng = np.random.default_rng(seed)
    pixels, classes = [], []
    for one in drawn:
        picture = Image.fromarray(one.pixels)
        for instance in one.instances:
            if not instance.crowd:
                box = _square_about(instance.visible, rng)
                crop = picture.resize((side, side), Image.Resampling.BILINEAR, box)
                pixels.append(np.asarray(crop))
                classes.append(instance.category)
    return np.stack(pixels), np.array(classes)


def _square_about(mask: np.ndarray, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """A square (left, top, right, bottom) about a mask, bool [H, W], within its image."""
    height, width = mask.shape
    x, y, box_width, box_height = segmentation.bounding_box(mask)
    side = max(max(box_width, box_height) * rng.uniform(*MARGIN), SMALLEST)
    side = min(side, width, height)
    shift_x, shift_y = rng.uniform(-SHIFT, SHIFT, 2) * side
    left = np.clip(x + box_width / 2 + shift_x - side / 2, 0, width - side)
    top = np.clip(y + box_height / 2 + shift_y - side / 2, 0, height - side)
    return float(left), float(top), float(left + side), float(top + side)
