"""pycocotools' own matches and numbers, in the form of ours."""

import contextlib
import copy
import io

import numpy as np
from pycocotools.cocoeval import COCOeval

from r3cnn.core.records import IOU_PERCENT, METRICS
from r3cnn.evaluation.bootstrap import Matches


def summarised(run: COCOeval) -> dict[str, float | None]:
    """pycocotools' twelve numbers of what was matched."""
    with contextlib.redirect_stdout(io.StringIO()):
        run.accumulate()
        run.summarize()
    return {
        name: None if value == -1 else float(value)
        for name, value in zip(METRICS, run.stats, strict=True)
    }


def at_iou(run: COCOeval, percent: int) -> float | None:
    """pycocotools' AP where this IoU threshold is the only one."""
    alone = COCOeval(run.cocoGt, run.cocoDt, run.params.iouType)
    alone.params = copy.deepcopy(run.params)
    alone.params.iouThrs = run.params.iouThrs[[IOU_PERCENT.index(percent)]]
    with contextlib.redirect_stdout(io.StringIO()):
        alone.evaluate()
        alone.accumulate()
        alone.summarize()
    return None if alone.stats[0] == -1 else float(alone.stats[0])


def matches_of(run: COCOeval) -> list[Matches]:
    """The matches of each category, after `run.evaluate()`; detections in the order pycocotools gives."""
    params = run.params
    images, areas = len(params.imgIds), len(params.areaRng)
    found = []
    for k in range(len(params.catIds)):
        block = run.evalImgs[k * areas * images : (k + 1) * areas * images]
        entries = [block[a * images : (a + 1) * images] for a in range(areas)]
        found.append(_category(entries, len(params.iouThrs)))
    return found


def _category(entries: list[list[dict | None]], thresholds: int) -> Matches:
    """One category's entries [area][image] of evalImgs, None where an image has nothing of it."""
    present = [i for i, entry in enumerate(entries[0]) if entry is not None]
    sizes = [len(entries[0][i]["dtScores"]) for i in present]
    nothing = np.zeros((thresholds, 0), dtype=bool)
    scores = np.concatenate([[], *(entries[0][i]["dtScores"] for i in present)])
    order = np.argsort(-scores, kind="mergesort")
    hit, ignored, positives = [], [], np.zeros((len(entries), len(entries[0])), dtype=np.int32)
    for a, of_area in enumerate(entries):
        chosen = [of_area[i] for i in present]
        matched = np.concatenate([nothing, *(e["dtMatches"] != 0 for e in chosen)], axis=1)
        skipped = np.concatenate([nothing, *(e["dtIgnore"] != 0 for e in chosen)], axis=1)
        hit.append((matched & ~skipped)[:, order])
        ignored.append(skipped[:, order])
        positives[a, present] = [np.count_nonzero(e["gtIgnore"] == 0) for e in chosen]
    image = np.repeat(np.array(present, dtype=np.int64), sizes)[order]
    rank = np.concatenate([np.zeros(0, dtype=np.int64), *map(np.arange, sizes)])[order]
    return Matches(image, rank, np.stack(hit), np.stack(ignored), positives)
