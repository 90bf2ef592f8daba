"""Resample the validation images: how much a metric would vary on other images of the same kind.

Shapes: B resamples, N images, D detections of one category (best score first), A area ranges, T IoU
thresholds. A resample is how often each image was drawn, so a file of one model pairs with that of another.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..core.files import replacing
from ..core.records import AP_AT_IOU, BY_BOX_AREA, FACTS_KEY, RESAMPLE, RESAMPLED

RESAMPLES = 1000
SEED = 0
CELLS_AT_ONCE = 4_000_000  # detections x resamples held at a time: some 100 MB
_AREAS = ("", "s", "m", "l")
RECALLS = np.linspace(0, 1, 101)
_EPSILON = np.spacing(1)  # as in pycocotools' precision


@dataclass(frozen=True)
class Matches:
    """What was matched of one category, detections of all images by falling score.

    image (D,) index of the image; rank (D,) by score within its image; hit and ignored (A, T, D);
    positives (A, N) objects to be found. ignored_by_box: of masks, as `ignored` if a detection is as large as
    its box and not as its mask.
    """

    image: np.ndarray
    rank: np.ndarray
    hit: np.ndarray
    ignored: np.ndarray
    positives: np.ndarray
    ignored_by_box: np.ndarray | None = None


def draw(images: int, resamples: int = RESAMPLES, seed: int = SEED) -> np.ndarray:
    """How often each image is drawn, (N, B): the same for every model that is scored on these images."""
    drawn = np.random.default_rng(seed).integers(0, images, size=(resamples, images))
    counts = [np.bincount(row, minlength=images) for row in drawn]
    return np.stack(counts, axis=1).astype(np.int32)


def resampled_metrics(
    of_categories: Iterable[Matches], weights: np.ndarray
) -> dict[str, np.ndarray]:
    """The metrics of each resample, RESAMPLED by (B,); NaN where it has no such object.

    weights (N, B): how often each image was drawn, images by rising id.
    """
    sums = {name: np.zeros(weights.shape[1]) for name in RESAMPLED}
    present = np.zeros((len(_AREAS), weights.shape[1]), dtype=np.int64)
    for matches in of_categories:
        for a, area in enumerate(_AREAS):
            positives = matches.positives[a] @ weights
            there = positives > 0  # a category without objects in a resample does not count there
            if not there.any():
                continue
            present[a] += there
            positives = np.maximum(positives, 1)
            precision, recall = _curves(matches, a, weights, positives, RECALLS)
            values = {f"AP{area}": precision, f"AR{area or 100}": recall}
            if not area:
                values |= {name: precision[t, None] for t, name in enumerate(AP_AT_IOU)}
                for n in (1, 10):
                    values[f"AR{n}"] = _recall(matches, n, weights) / positives
            for name, value in values.items():
                sums[name] += np.where(there, value.mean(axis=0), 0)
    area_of = {name: _AREAS.index(name[2:] if name[2:] in _AREAS else "") for name in RESAMPLED}
    with np.errstate(invalid="ignore"):
        return {name: sums[name] / present[area_of[name]] for name in RESAMPLED}


def metrics_by_box_area(of_categories: Iterable[Matches], images: int) -> dict[str, np.ndarray]:
    """Mask AP by the area of the detections' boxes, BY_BOX_AREA by (1,), without resampling."""
    by_box = [
        replace(one, ignored=one.ignored_by_box)
        for one in of_categories
        if one.ignored_by_box is not None
    ]
    if not by_box:
        return {}
    found = resampled_metrics(by_box, np.ones((images, 1), dtype=np.int32))
    return {new: found[name] for name, new in BY_BOX_AREA.items()}


def _recall(matches: Matches, detections: int, weights: np.ndarray) -> np.ndarray:
    """Objects found by the `detections` best of each image, (T, B)."""
    hit = matches.hit[0] & (matches.rank < detections)
    return np.stack([weights[matches.image[row]].sum(axis=0) for row in hit])


def _curves(
    matches: Matches,
    area: int,
    weights: np.ndarray,
    positives: np.ndarray,
    recall_thresholds: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Interpolated precision, averaged over recall, and final recall of one area range: (T, B) each."""
    used = np.flatnonzero(~matches.ignored[area].all(axis=0))
    step = max(1, CELLS_AT_ONCE // max(len(used), 1))
    parts = []
    for start in range(0, weights.shape[1], step):
        chunk = slice(start, start + step)
        part = np.ascontiguousarray(weights[:, chunk])
        parts.append(_curves_of(matches, area, used, part, positives[chunk], recall_thresholds))
    precision, recall = zip(*parts, strict=True)
    return np.concatenate(precision, axis=1), np.concatenate(recall, axis=1)


def _curves_of(
    matches: Matches,
    area: int,
    used: np.ndarray,
    weights: np.ndarray,
    positives: np.ndarray,
    recall_thresholds: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """`_curves` of the resamples that fit in memory. used: the detections that count at some threshold.

    Precision can only rise at a hit, so hits alone are looked at. A recall threshold is reached by the first
    hit that brings recall up to it, and takes the best precision from there on.
    """
    image, hit, ignored = matches.image[used], matches.hit[area], matches.ignored[area]
    seen_by = np.cumsum(weights[image], axis=0)
    found = np.arange(positives.max() + 1)[:, None] / positives
    reached_by = np.searchsorted(recall_thresholds, found, side="right").astype(np.int32)
    columns = np.arange(weights.shape[1])
    precision = np.zeros((len(hit), weights.shape[1]))
    recall = np.zeros_like(precision)
    for t in range(len(hit)):
        at = np.flatnonzero(hit[t, used])
        if not len(at):
            continue
        hits = np.cumsum(weights[image[at]], axis=0)
        seen = seen_by[at]
        skipped = np.flatnonzero(ignored[t, used])
        if len(skipped):
            missing = np.cumsum(weights[image[skipped]], axis=0)
            missing = np.concatenate([np.zeros_like(missing[:1]), missing])
            seen = seen - missing[np.searchsorted(skipped, at)]
        best = hits / (seen + _EPSILON)
        np.maximum.accumulate(best[::-1], axis=0, out=best[::-1])
        gained = np.diff(reached_by[hits, columns], axis=0, prepend=0)
        precision[t] = np.einsum("jb,jb->b", best, gained) / len(recall_thresholds)
        recall[t] = hits[-1] / positives
    return precision, recall


def write_resamples(path: Path, metrics: dict[str, np.ndarray], facts: dict, images: int) -> None:
    """Write one row a resample (`resample` from 1), one column a metric (bbox.AP ...), with the facts."""
    count = len(next(iter(metrics.values())))
    facts = {**facts, "resamples": count, "resample_seed": SEED, "resampled_images": images}
    columns = {RESAMPLE: pa.array(range(1, count + 1), pa.int32())}
    columns |= {name: pa.array(values, pa.float64()) for name, values in metrics.items()}
    table = pa.table(columns).replace_schema_metadata({FACTS_KEY: json.dumps(facts)})
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
