"""Analyse the errors of an evaluation: TIDE's kinds, classes, curves, confusions, calibration.

All by hotcoco. T IoU thresholds, K categories by rising id.
"""

import contextlib
import io

import hotcoco
import numpy as np
import pyarrow as pa

from ..core.records import (
    AP_AT_IOU,
    CONFUSION_SCORE,
    CURVES_AT,
    IOU_PERCENT,
    TIDE,
    Calibration,
    KindErrors,
    Tide,
)
from .metrics import hotcoco_run

HIT, BACKGROUND = (
    0.5,
    0.1,
)  # TIDE's IoUs: from which a detection is right, up to which it is background
DIGITS = 6
PLACE = ("image_id", "category_id")


def class_names(content: dict) -> list[str]:
    """The names of the categories of COCO annotations, by rising id."""
    names = {one["id"]: str(one["name"]) for one in content["categories"]}
    return [names[id_] for id_ in sorted(names)]


def what_went_wrong(run: hotcoco.COCOeval, content: dict, table: pa.Table, kind: str) -> KindErrors:
    """The errors of an evaluation that has run on these annotations and detections."""
    precision = np.asarray(run.eval["precision"])[:, :, :, 0, -1]  # (T, recalls, K), -1: no objects
    precision = np.where(precision > -1, precision, np.nan)
    with contextlib.redirect_stdout(io.StringIO()):
        confusion = run.confusion_matrix(iou_thr=HIT, min_score=CONFUSION_SCORE)
    return {
        "tide": _tide(_without_crowds(run, content, table, kind)),
        "classes": _by_class(precision),
        "precision": {
            str(percent): [_number(value) for value in _mean(precision[IOU_PERCENT.index(percent)])]
            for percent in CURVES_AT
        },
        "confusion": confusion["matrix"].astype(int).tolist(),
        "calibration": _calibration(run, table, kind),
    }


def _without_crowds(
    run: hotcoco.COCOeval, content: dict, table: pa.Table, kind: str
) -> hotcoco.COCOeval:
    """The evaluation without crowds and the detections that are not counted because of one at IoU 0.5.

    TIDE knows crowds as regions to be left out; to hotcoco's they are objects that a box may be near.
    """
    crowded = {_place(one) for one in content["annotations"] if one.get("iscrowd")}
    if not crowded:
        return run
    ids = [table.column(name).to_pylist() for name in PLACE]
    rows = np.array(
        [row for row, place in enumerate(zip(*ids, strict=True)) if place in crowded], dtype=int
    )
    images, categories = map(set, zip(*crowded, strict=True))
    parts = {
        "images": [one for one in content["images"] if one["id"] in images],
        "categories": [one for one in content["categories"] if one["id"] in categories],
        "annotations": [one for one in content["annotations"] if _place(one) in crowded],
    }
    of_crowded = hotcoco_run(content | parts, table.take(pa.array(rows)), kind)
    everything = list(of_crowded.params.areaRng[0])
    left_out = [
        rows[id_ - 1]  # ids count the detections from 1
        for one in of_crowded.evalImgs
        if one is not None and list(one["aRng"]) == everything
        for id_, ignored in zip(one["dtIds"], one["dtIgnore"][0], strict=True)
        if ignored
    ]
    kept = np.delete(np.arange(len(table)), left_out)
    objects = [one for one in content["annotations"] if not one.get("iscrowd")]
    return hotcoco_run(content | {"annotations": objects}, table.take(pa.array(kept)), kind)


def _place(one: dict) -> tuple[int, ...]:
    return tuple(one[name] for name in PLACE)


def _tide(run: hotcoco.COCOeval) -> Tide:
    found = run.tide_errors(pos_thr=HIT, bg_thr=BACKGROUND)
    return {
        "AP50": round(found["ap_base"], DIGITS),
        "gain": {name: round(found["delta_ap"][name], DIGITS) for name in TIDE},
        "count": {name: int(found["counts"][name]) for name in TIDE},
    }


def _by_class(precision: np.ndarray) -> list[dict[str, float | None]]:
    """AP, AP50 and AP75 of each category."""
    means = precision.mean(axis=1)  # (T, K)
    rows = {"AP": means.mean(axis=0)}
    rows |= {name: means[AP_AT_IOU.index(name)] for name in ("AP50", "AP75")}
    return [
        {name: _number(values[k]) for name, values in rows.items()} for k in range(means.shape[1])
    ]


def _mean(curves: np.ndarray) -> np.ndarray:
    """Of the categories that have objects; (recalls, K) to (recalls,)."""
    there = curves[:, ~np.isnan(curves).all(axis=0)]
    return there.mean(axis=1) if there.size else np.full(len(curves), np.nan)


def _calibration(run: hotcoco.COCOeval, table: pa.Table, kind: str) -> Calibration | None:
    """None where scores are not probabilities: a Mask-IoU branch may predict less than 0."""
    scores = table.column("score" if kind == "bbox" else "mask_score").to_numpy()
    if np.any((scores < 0) | (scores > 1)):
        return None
    found = run.calibration(iou_threshold=HIT)
    bins = [
        [round(one["avg_confidence"], DIGITS), round(one["avg_accuracy"], DIGITS), one["count"]]
        for one in found["bins"]
    ]
    gaps = (round(found[name], DIGITS) for name in ("ece", "mce"))
    return dict(zip(("expected", "largest", "bins"), (*gaps, bins), strict=True))


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), DIGITS)
