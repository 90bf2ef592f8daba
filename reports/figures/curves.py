"""Series for the page's interactive figures: IoU histograms by epoch, learning curves."""

from pathlib import Path
from typing import Any

import pandas as pd

from r3cnn.core.layout import RunFolder
from r3cnn.core.records import ASSIGNMENTS

from ..results.intervals import POINTS
from ..results.load import Results, histogram_of
from ..results.logs import NOT_CURVES, json_lines

MOST_POINTS = 200


def histogram_series(results: Results) -> dict[str, Any]:
    """training -> {epochs, loops, seeds, low: bin edges, counts: by assignment and view}.

    counts, by assignment, view, epoch, loop and bin, are summed over seeds. Raises: UserError.
    """
    series = {}
    for training in RunFolder(results.folder).training_ids():
        loaded = histogram_of(results, training)
        if loaded is None or loaded[0].empty:
            continue
        frame, seeds = loaded
        frame = frame.assign(low=frame["iou_low"].round(6))
        axes = [sorted(frame[name].unique().tolist()) for name in ("epoch", "loop", "low")]
        counts: dict[str, dict[str, Any]] = {}
        for (assignment, view), part in frame.groupby(["assignment", "view"]):
            index = pd.MultiIndex.from_product(axes)
            summed = part.groupby(["epoch", "loop", "low"])["count"].sum()
            shape = [len(axis) for axis in axes]
            values = summed.reindex(index, fill_value=0).to_numpy().reshape(shape).tolist()
            counts.setdefault(str(assignment), {})[str(view)] = values
        series[training] = {
            "epochs": axes[0],
            "loops": axes[1],
            "low": axes[2],
            "seeds": seeds,
            "counts": {a: counts[a] for a in ASSIGNMENTS if a in counts},
        }
    return series


def learning_series(results: Results) -> dict[str, Any]:
    """training -> seed -> {x: epochs, y: {loss...}, validation: {L_e: {x, bbox_AP, segm_AP}}}.

    Raises: UserError.
    """
    series: dict[str, Any] = {}
    for training in RunFolder(results.folder).trainings():
        losses, validation = _losses(training.log), _validation(training.validation)
        if losses or validation:
            entry = {**(losses or {"x": [], "y": {}}), "validation": validation}
            series.setdefault(training.id, {})[training.seed] = entry
    return series


def _losses(path: Path) -> dict[str, Any] | None:
    """Every logged value by epoch, at most MOST_POINTS means."""
    frame = json_lines(path, ("epoch", "iteration"))
    if frame is None:
        return None
    frame = frame.sort_values("iteration")
    epochs, iterations = frame["epoch"].max(), frame["iteration"].max()
    frame["x"] = frame["iteration"] * epochs / iterations
    names = [name for name in frame.columns if name not in NOT_CURVES]
    numbers = frame[names].apply(pd.to_numeric, errors="coerce")
    groups = (
        pd.Series(range(len(frame)), index=frame.index)
        * MOST_POINTS
        // max(len(frame), MOST_POINTS)
    )
    means = numbers.groupby(groups).mean()
    return {
        "x": _short(means["x"]),
        "y": {name: _short(means[name]) for name in names if name != "x"},
    }


def _validation(path: Path) -> dict[str, Any]:
    frame = json_lines(path, ("epoch", "loops", "bbox_AP", "segm_AP"))
    if frame is None:
        return {}
    return {
        str(loops): {
            "x": part["epoch"].tolist(),
            **{name: _short(part[name] * POINTS) for name in ("bbox_AP", "segm_AP")},
        }
        for loops, part in frame.sort_values("epoch").groupby("loops")
    }


def _short(values: pd.Series) -> list[float | None]:
    """Four digits; None for what is not a number."""
    numbers = pd.to_numeric(values, errors="coerce")
    return [None if pd.isna(value) else float(f"{value:.4g}") for value in numbers]
