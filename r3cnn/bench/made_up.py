"""Annotations and detections made up from a seed, as many as COCO's validation set has.

Every mask is an ellipse: an object's as a polygon, as in COCO, a detection's and a crowd's as run lengths.
"""

import itertools
import math

import numpy as np
import pyarrow as pa
from pycocotools import mask as rle

from ..evaluation.predictions import SCHEMA

WIDTH, HEIGHT = 640, 480
CATEGORIES = 80
SIDES = (12, 320)  # of objects, in pixels: small, medium and large ones
CROWDS = 0.01
CORNERS = 24
COPIES = 4  # detections near each object, of falling quality; the others lie anywhere


def scene(images: int, objects: int, detections: int, seed: int) -> tuple[dict, pa.Table]:
    """COCO annotations, and a table of `detections` an image as `predict` writes it (L_e = 1)."""
    noise = np.random.default_rng(seed)
    owner = np.sort(noise.integers(0, images, objects))
    boxes, labels = _boxes(noise, objects), noise.integers(1, CATEGORIES + 1, objects)
    truth = {
        "images": [{"id": i + 1, "width": WIDTH, "height": HEIGHT} for i in range(images)],
        "categories": [{"id": k, "name": f"kind {k}"} for k in range(1, CATEGORIES + 1)],
        "annotations": [
            _object(i + 1, owner[i] + 1, labels[i], boxes[i], crowd)
            for i, crowd in enumerate(noise.random(objects) < CROWDS)
        ],
    }
    first = np.searchsorted(owner, np.arange(images + 1))
    found = [
        _detections(noise, boxes[a:b], labels[a:b], detections)
        for a, b in itertools.pairwise(first)
    ]
    return truth, _table(found)


def _boxes(noise: np.random.Generator, count: int) -> np.ndarray:
    """Boxes (count, 4) as x, y, width, height inside the image."""
    sides = np.exp(noise.uniform(*np.log(SIDES), (count, 2)))
    corner = noise.random((count, 2)) * (np.array([WIDTH, HEIGHT]) - sides)
    return np.hstack((corner, sides))


def _object(number: int, image: int, label: int, box: np.ndarray, crowd: bool) -> dict:
    x, y, width, height = (float(value) for value in box)
    return {
        "id": number,
        "image_id": int(image),
        "category_id": int(label),
        "bbox": [x, y, width, height],
        "area": width * height * math.pi / 4,
        "iscrowd": int(crowd),
        "segmentation": _runs(box) if crowd else _polygon(x, y, width, height),
    }


def _polygon(x: float, y: float, width: float, height: float) -> list[list[float]]:
    turn = np.arange(CORNERS) * 2 * math.pi / CORNERS
    corners = np.stack((x + width * (1 + np.cos(turn)) / 2, y + height * (1 + np.sin(turn)) / 2))
    return [corners.T.flatten().tolist()]


def _runs(box: np.ndarray) -> dict:
    """An ellipse's run lengths, column by column, as COCO has them uncompressed."""
    x, y, width, height = box
    columns = np.arange(math.ceil(x), max(math.ceil(x) + 1, math.floor(x + width)))
    across = (2 * (columns + 0.5 - x) / width - 1).clip(-1, 1)
    half = height / 2 * np.sqrt(1 - across**2)
    middle = y + height / 2
    top = np.ceil(middle - half).clip(0, HEIGHT - 1).astype(int)
    bottom = np.maximum(np.floor(middle + half).clip(0, HEIGHT).astype(int), top + 1)
    edges = np.stack((columns * HEIGHT + top, columns * HEIGHT + bottom), 1).flatten()
    counts = np.diff(edges, prepend=0, append=WIDTH * HEIGHT)
    return {"size": [HEIGHT, WIDTH], "counts": counts.tolist()}


def _detections(
    noise: np.random.Generator, boxes: np.ndarray, labels: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Boxes, labels, box scores and mask scores of one image's detections."""
    near = min(count, COPIES * len(boxes))
    shift = noise.normal(0, 0.05, (near, 4)) * (1 + np.arange(near) // max(len(boxes), 1))[:, None]
    copied = np.resize(boxes, (near, 4))
    copied = copied + shift * copied[:, [2, 3, 2, 3]]
    found = np.vstack((copied, _boxes(noise, count - near)))
    found[:, 2:] = found[:, 2:].clip(4, (WIDTH - 1, HEIGHT - 1))
    found[:, :2] = found[:, :2].clip(0, np.array([WIDTH, HEIGHT]) - 1 - found[:, 2:])
    label = np.concatenate(
        (np.resize(labels, near), noise.integers(1, CATEGORIES + 1, count - near))
    )
    quality = np.concatenate((1 / (1 + np.abs(shift).sum(1)), np.full(count - near, 0.3)))
    scores = (quality * noise.random((2, count)) ** 0.5).astype(np.float32)
    return found.astype(np.float32), label, scores[0], scores[1]


def _table(found: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]) -> pa.Table:
    boxes, labels, scores, mask_scores = (np.concatenate(one) for one in zip(*found, strict=True))
    codes = [rle.frPyObjects(_runs(box.astype(float)), HEIGHT, WIDTH)["counts"] for box in boxes]
    images = np.repeat(np.arange(1, len(found) + 1), [len(one[0]) for one in found])
    columns = {
        "loops": np.ones(len(boxes), dtype=np.int16),
        "image_id": images,
        "category_id": labels,
        "score": scores,
        "mask_score": mask_scores,
        **{name: boxes[:, i] for i, name in enumerate(("x", "y", "width", "height"))},
        "mask_height": np.full(len(boxes), HEIGHT, dtype=np.int32),
        "mask_width": np.full(len(boxes), WIDTH, dtype=np.int32),
        "mask_counts": codes,
    }
    return pa.table(columns, schema=SCHEMA)
