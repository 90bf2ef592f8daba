"""Match detections with objects as pycocotools does, all images of a category at once.

Shapes, of one category: P images that have objects and detections of it, D detections of an image, G
objects of an image, A area ranges, T IoU thresholds.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pycocotools import mask as rle

from ..data.masks import run_lengths
from .bootstrap import Matches
from .metrics import ids_of
from .predictions import runs

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
AREA_RANGES = np.array([(0, 1e10), (0, 32**2), (32**2, 96**2), (96**2, 1e10)])
DETECTIONS = 100  # of an image and a category, the best ones
BOX = ("x", "y", "width", "height")


@dataclass(frozen=True)
class Objects:
    """Objects, or detections: what each is, where, and its score (detections) or whether it is a crowd.

    image and category are indices into the sorted ids; shape: boxes (n, 4), or run lengths; area is that of the
    shape, box_area that of a detection's box.
    """

    image: np.ndarray
    category: np.ndarray
    area: np.ndarray
    shape: np.ndarray
    score: np.ndarray
    crowd: np.ndarray
    box_area: np.ndarray

    def taken(self, rows: np.ndarray) -> "Objects":
        """Some of them, in that order."""
        return Objects(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def matches(content: dict, table: pa.Table, kind: str) -> list[Matches]:
    """The matches of each category, by rising id. content: COCO annotations; kind: "bbox" or "segm"."""
    images, categories = ids_of(content["images"]), ids_of(content["categories"])
    truth = _known(_truth(content, kind), images, categories)
    found = _known(_found(table, kind), images, categories)
    order = np.lexsort((-found.score, found.image, found.category))  # stable
    found = found.taken(order)
    rank = _rank(found.category * len(images) + found.image)
    found, rank = found.taken(rank < DETECTIONS), rank[rank < DETECTIONS]
    result = []
    for k in range(len(categories)):
        mine = found.category == k
        of_category = truth.taken(truth.category == k)
        result.append(_category(of_category, found.taken(mine), rank[mine], len(images), kind))
    return result


def _truth(content: dict, kind: str) -> Objects:
    items = content["annotations"]
    sizes = {one["id"]: (one["height"], one["width"]) for one in content["images"]}
    if kind == "bbox":
        shape = np.array([one["bbox"] for one in items], dtype=float).reshape(-1, 4)
    else:
        shape = _objects(
            [run_lengths(one["segmentation"], *sizes[one["image_id"]]) for one in items]
        )
    return Objects(
        np.array([one["image_id"] for one in items], dtype=np.int64),
        np.array([one["category_id"] for one in items], dtype=np.int64),
        np.array([one["area"] for one in items], dtype=float),
        shape,
        np.zeros(len(items)),
        np.array([bool(one.get("iscrowd")) for one in items], dtype=bool),
        np.zeros(len(items)),
    )


def _found(table: pa.Table, kind: str) -> Objects:
    column = {
        name: table.column(name).to_numpy() for name in table.column_names if name != "mask_counts"
    }
    boxes = np.stack([column[name] for name in BOX], 1).astype(float)
    box_area = boxes[:, 2] * boxes[:, 3]
    if kind == "bbox":
        shape, area, score = boxes, box_area, column["score"]
    else:
        shape = _objects(runs(table))
        # one by one: pycocotools 2.0.11 overflows on a list of more than 255 under numpy 2
        area, score = np.array([float(rle.area(one)) for one in shape]), column["mask_score"]
    return Objects(
        column["image_id"],
        column["category_id"],
        area,
        shape,
        score.astype(float),
        np.zeros(len(boxes), dtype=bool),
        box_area,
    )


def _objects(items: list) -> np.ndarray:
    found = np.empty(len(items), dtype=object)
    found[:] = items
    return found


def _known(items: Objects, images: np.ndarray, categories: np.ndarray) -> Objects:
    """Those of known images and categories, ids turned into indices."""
    items = items.taken(np.isin(items.image, images) & np.isin(items.category, categories))
    rest = [getattr(items, name) for name in ("area", "shape", "score", "crowd", "box_area")]
    image, category = (
        np.searchsorted(images, items.image),
        np.searchsorted(categories, items.category),
    )
    return Objects(image, category, *rest)


def _rank(groups: np.ndarray) -> np.ndarray:
    """0, 1, 2 ... within each run of equal values."""
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    return np.arange(len(groups)) - np.repeat(starts, np.diff(starts, append=len(groups)))


def _category(truth: Objects, found: Objects, rank: np.ndarray, images: int, kind: str) -> Matches:
    low, high = AREA_RANGES[:, 0, None], AREA_RANGES[:, 1, None]
    ignored_truth = truth.crowd | (truth.area < low) | (truth.area > high)  # (A, objects)
    positives = np.stack(
        [np.bincount(truth.image[~row], minlength=images) for row in ignored_truth]
    )
    shape = (len(AREA_RANGES), len(IOU_THRESHOLDS), len(found.image))
    hit, skipped = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    if len(truth.image) and len(found.image):
        order = np.argsort(truth.image, kind="stable")
        _match(truth.taken(order), ignored_truth[:, order], found, hit, skipped, kind)
    best = np.argsort(-found.score, kind="stable")

    def ignored(area: np.ndarray) -> np.ndarray:
        outside = (area < low) | (area > high)  # (A, D)
        return (skipped | (outside[:, None] & ~hit))[..., best]

    return Matches(
        found.image[best],
        rank[best],
        hit[..., best],
        ignored(found.area),
        positives.astype(np.int32),
        ignored(found.box_area) if kind == "segm" else None,
    )


def _match(
    truth: Objects,
    ignored: np.ndarray,
    found: Objects,
    hit: np.ndarray,
    skipped: np.ndarray,
    kind: str,
) -> None:
    """Fills hit and skipped (A, T, detections): matched with an object that counts, or with an ignored one.

    The detections of an image by falling score take the object of largest IoU that is still free (a crowd
    always is): one that counts if there is one, of equal IoUs the last.
    """
    pairs = list(_pairs(truth, found))
    if not pairs:
        return
    detections = max(d.stop - d.start for d, _ in pairs)
    objects = max(g.stop - g.start for _, g in pairs)
    iou = np.full((len(pairs), detections, objects), -1.0)
    crowd = np.zeros((len(pairs), objects), dtype=bool)
    ignore = np.zeros((len(AREA_RANGES), len(pairs), 1, objects), dtype=bool)
    place = np.full((len(pairs), detections), -1)
    for p, (d, g) in enumerate(pairs):
        there = truth.crowd[g]
        shapes = found.shape[d], truth.shape[g]
        if kind == "segm":
            shapes = tuple(list(one) for one in shapes)
        iou[p, : d.stop - d.start, : len(there)] = rle.iou(*shapes, there.astype(np.uint8).tolist())
        crowd[p, : len(there)] = there
        ignore[:, p, 0, : len(there)] = ignored[:, g]
        place[p, : d.stop - d.start] = np.arange(d.start, d.stop)
    _take_in_turn(iou, crowd, ignore, place, hit, skipped)


def _pairs(truth: Objects, found: Objects) -> Iterator[tuple[slice, slice]]:
    """Detections and objects of each image that has both; both sorted by image."""
    for image in np.intersect1d(truth.image, found.image):
        sides = [np.searchsorted(one.image, [image, image + 1]) for one in (found, truth)]
        yield tuple(slice(*map(int, side)) for side in sides)


def _take_in_turn(
    iou: np.ndarray,
    crowd: np.ndarray,
    ignore: np.ndarray,
    place: np.ndarray,
    hit: np.ndarray,
    skipped: np.ndarray,
) -> None:
    """iou (P, D, G), crowd (P, G), ignore (A, P, 1, G); place (P, D) in hit and skipped, -1 for none."""
    least = np.minimum(IOU_THRESHOLDS, 1 - 1e-10)[:, None]
    free = np.ones((len(AREA_RANGES), len(iou), len(IOU_THRESHOLDS), iou.shape[2]), dtype=bool)
    for d in range(iou.shape[1]):
        rows = np.flatnonzero(place[:, d] >= 0)
        of_rank = iou[rows, d][:, None]  # (P, 1, G)
        allowed = (of_rank >= least) & (free[:, rows] | crowd[rows][:, None])
        counted = allowed & ~ignore[:, rows]
        some = counted.any(-1)
        chosen = np.where(np.where(some[..., None], counted, allowed), of_rank, -1)
        last = chosen.shape[-1] - 1 - chosen[..., ::-1].argmax(-1)  # (A, P, T)
        matched = allowed.any(-1)
        a, p, t = np.nonzero(matched)
        free[a, rows[p], t, last[a, p, t]] = False
        where = place[rows, d]
        hit[..., where] = some.swapaxes(1, 2)
        skipped[..., where] = (matched & ~some).swapaxes(1, 2)
