"""Errors up close, over the evaluations: AP by class, precision over recall, confusions, calibration."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from r3cnn.core.layout import AP_BY_CLASS, CALIBRATION, CONFUSION, PRECISION_OVER_RECALL
from r3cnn.core.records import CONFUSION_SCORE, CURVES_AT

from ..results.errors import Wrong
from ..results.intervals import POINTS
from .lines import points
from .panels import ACCENT, FAINT, SHADES, Key, Layout, Panels, room_for

DASHES = {"box": "-", "mask": "--"}
# of the curves at IoU 0.5, 0.75, 0.9
SHADED = dict(zip(CURVES_AT, (ACCENT, "#4a86cc", "#8ab4e3"), strict=True))
NOTHING = "nothing"
MOST_LEVEL = 8  # classes whose names fit next to one another
MOST_NAMED = 12  # classes whose names and values fit into a panel
BY_KIND: tuple[Key, ...] = tuple((kind, ACCENT, dash) for kind, dash in DASHES.items())
EVALUATION = ("training", "L_e", "kind")


def closer_charts(found: Sequence[Wrong]) -> tuple[Panels, ...]:
    """The four charts; their frames are empty where nothing was scored by version 0.2 or later."""
    return (
        ap_by_class(found),
        precision_over_recall(found),
        confusions(found),
        calibration(found),
    )


def ap_by_class(found: Sequence[Wrong]) -> Panels:
    """AP of each class, a row an evaluation: boxes, and next to or below them masks."""
    of_class = {
        (*wrong.evaluation, wrong.kind, name): _aps(wrong, place)
        for wrong in found
        for place, name in enumerate(wrong.classes)
    }
    rows = [
        dict(zip((*EVALUATION, "class"), key, strict=True)) | aps for key, aps in of_class.items()
    ]
    frame = points(rows, (*EVALUATION, "class", "AP", "AP50", "AP75"))
    names = tuple(dict.fromkeys(frame["class"]))
    labels = [_title(*key) for key in dict.fromkeys(wrong.evaluation for wrong in found)]
    kinds = [kind for kind in DASHES if (frame["kind"] == kind).any()]
    beside = len(names) <= MOST_NAMED
    layout = Layout(
        columns=len(kinds) or 1 if beside else 1,
        height=max(0.5, 0.165 * len(labels)),
        left=room_for([label.replace("$", "") for label in labels]),
        below=0.3 if len(names) < MOST_LEVEL else 0.9,
    )
    return Panels(
        AP_BY_CLASS,
        "AP by class",
        "AP in percent of each class, the mean over seeds: the stronger the colour, the higher. A class without "
        "an object is blank.",
        frame,
        [(f"{kind} AP", frame[frame["kind"] == kind]) for kind in kinds],
        _draw_classes(labels, names),
        "",
        "",
        names,
        _table(
            found,
            lambda wrong: [
                _shown(of_class[*wrong.evaluation, wrong.kind, name]["AP"]) for name in names
            ],
        ),
        layout=layout,
    )


def precision_over_recall(found: Sequence[Wrong]) -> Panels:
    """Precision over recall at IoU 0.5, 0.75 and 0.9, the mean over classes."""
    recalls = np.linspace(0, 1, 101)
    curves = {
        (wrong, percent): _mean_of([one["precision"][str(percent)] for one in wrong.of_seeds])
        for wrong in found
        for percent in CURVES_AT
    }
    rows = [
        {**_named(wrong), "IoU": percent / 100, "recall": recall, "precision": value}
        for (wrong, percent), curve in curves.items()
        for recall, value in zip(recalls, curve, strict=True)
    ]
    frame = points(rows, (*EVALUATION, "IoU", "recall", "precision"))
    shades = [(f"IoU {percent / 100:g}", colour, "-") for percent, colour in SHADED.items()]
    return Panels(
        PRECISION_OVER_RECALL,
        "Precision over recall",
        "The mean over the classes that have objects, and over seeds, where a detection needs an IoU of 0.5, 0.75 "
        "or 0.9. The mean of a curve is the AP at its IoU.",
        frame,
        _by_evaluation(frame),
        _draw_precision,
        "recall",
        "precision",
        [f"AP{percent}" for percent in CURVES_AT],
        _table(found, lambda wrong: [_percent(np.mean(curves[wrong, iou])) for iou in CURVES_AT]),
        [*shades, ("box", FAINT, DASHES["box"]), ("mask", FAINT, DASHES["mask"])],
    )


def confusions(found: Sequence[Wrong]) -> Panels:
    """Which class the detections of an object name: shares of the objects, the sums over seeds."""
    summed = {
        wrong: np.sum([one["confusion"] for one in wrong.of_seeds], axis=0) for wrong in found
    }
    rows = [
        {**_named(wrong), "object": (*wrong.classes, NOTHING)[row],
         "detection": (*wrong.classes, NOTHING)[column], "count": int(count)}
        for wrong, matrix in summed.items()
        for (row, column), count in np.ndenumerate(matrix)
        if count
    ]  # fmt: skip
    frame = points(rows, (*EVALUATION, "object", "detection", "count"))
    names = (*found[0].classes, NOTHING) if found else ()
    boxes = {wrong.evaluation: wrong for wrong in reversed(found)}  # masks, if there are no boxes
    shown = [wrong for wrong in found if boxes[wrong.evaluation] is wrong]
    named = len(names) <= MOST_NAMED
    return Panels(
        CONFUSION,
        "Confusions",
        f"Detections of a score from {CONFUSION_SCORE} at IoU 0.5: down, the class of the object; across, the "
        f"class of the detection; the last of each is {NOTHING}: objects that were not found, and detections of "
        "no object. Each row is drawn as shares of its sum, the stronger the colour, the more. Masks "
        "are drawn only of results without boxes.",
        frame,
        [(_title(*wrong.evaluation), pd.DataFrame(summed[wrong])) for wrong in shown],
        _draw_confusion(names if named else ()),
        "detection",
        "object",
        ("Right (%)", "Other class (%)", "Not found (%)", "Of no object", "Most often confused"),
        _table(found, lambda wrong: _told(wrong, summed[wrong])),
        layout=Layout(left=room_for(names) if named else 0.5, below=0.9 if named else 0.45),
    )  # fmt: skip


def calibration(found: Sequence[Wrong]) -> Panels:
    """The share of hits at IoU 0.5 over the score; empty for scores that are not probabilities."""
    known = {
        wrong: parts
        for wrong in found
        if (parts := [one["calibration"] for one in wrong.of_seeds if one["calibration"]])
    }
    rows = [
        {**_named(wrong), "score": score, "hits": share, "detections": count}
        for wrong, parts in known.items()
        for score, share, count in _pooled([one["bins"] for one in parts])
    ]
    frame = points(rows, (*EVALUATION, "score", "hits", "detections"))
    return Panels(
        CALIBRATION,
        "Calibration",
        "The share of detections that hit an object at IoU 0.5, over their score, in ten steps of the score; on "
        "the diagonal, a score is a probability. The expected gap is the mean over the detections, the largest "
        "gap that of one step; both are in points, averaged over seeds.",
        frame,
        _by_evaluation(frame),
        _draw_calibration,
        "score",
        "share of hits",
        ("Expected gap", "Largest gap"),
        _table(
            known,
            lambda wrong: [
                _percent(np.mean([one[name] for one in known[wrong]]))
                for name in ("expected", "largest")
            ],
        ),
        BY_KIND,
    )


def _named(wrong: Wrong) -> dict[str, object]:
    return dict(zip(EVALUATION, (wrong.training, wrong.loops, wrong.kind), strict=True))


def _table(
    found: Iterable[Wrong], values: Callable[[Wrong], list[str]]
) -> dict[tuple[str, int], dict[str, list[str]]]:
    """What a chart says in numbers: of each evaluation's boxes and masks."""
    table: dict[tuple[str, int], dict[str, list[str]]] = {}
    for wrong in found:
        table.setdefault(wrong.evaluation, {})[wrong.kind] = values(wrong)
    return table


def _title(training: str, loops: int) -> str:
    return f"{training}, $L_e$ = {loops}"


def _percent(value: float) -> str:
    return _shown(POINTS * value)


def _shown(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.1f}"


def _mean_of(lists: Iterable[Sequence[float | None]]) -> np.ndarray:
    """The mean of lists of the same length, item by item; NaN where none has a value."""
    values = np.array([list(one) for one in lists], dtype=float)
    there = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(there, values, 0).sum(axis=0) / there.sum(axis=0)


def _aps(wrong: Wrong, place: int) -> dict[str, float]:
    """In percent; NaN for a class without an object."""
    names = ("AP", "AP50", "AP75")
    of_seeds = [[one["classes"][place][name] for name in names] for one in wrong.of_seeds]
    return dict(zip(names, map(float, POINTS * _mean_of(of_seeds)), strict=True))


def _pooled(of_seeds: list[list[list[float]]]) -> list[tuple[float, float, int]]:
    """Score, share of hits and count of each step that has detections, over all seeds."""
    values = np.array(of_seeds, dtype=float)  # (seeds, steps, 3)
    counts = values[:, :, 2].sum(axis=0)
    sums = (values[:, :, :2] * values[:, :, 2:]).sum(axis=0)
    there = counts > 0
    means = sums[there] / counts[there, None]
    return [
        (*map(float, pair), int(count)) for pair, count in zip(means, counts[there], strict=True)
    ]


def _told(wrong: Wrong, matrix: np.ndarray) -> list[str]:
    """Shares of the objects, detections of no object, and the pair of classes that is most often confused."""
    objects, right = matrix[:-1].sum(), np.trace(matrix[:-1, :-1])
    other = matrix[:-1, :-1] - np.diag(np.diag(matrix[:-1, :-1]))
    counts = (right, other.sum(), matrix[:-1, -1].sum())
    shares = [_percent(count / objects) if objects else "–" for count in counts]
    most = "–"
    if other.any():
        row, column = np.unravel_index(other.argmax(), other.shape)
        most = f"{wrong.classes[row]} as {wrong.classes[column]} ({other.max()})"
    return [*shares, str(matrix[-1, :-1].sum()), most]


# --------------------------------------------------------------------------- drawing


def _by_evaluation(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    groups = frame.groupby(["training", "L_e"], sort=False)
    return [(_title(training, loops), data) for (training, loops), data in groups]


def _draw_classes(
    labels: Sequence[str], names: Sequence[str]
) -> Callable[[Axes, pd.DataFrame], None]:
    """Rows of evaluations, columns of classes, the AP in each cell if there is room."""

    def draw(ax: Axes, data: pd.DataFrame) -> None:
        rows = [_title(*pair) for pair in data[["training", "L_e"]].itertuples(index=False)]
        values = np.full((len(labels), len(names)), np.nan)
        for row, name, value in zip(rows, data["class"], data["AP"], strict=True):
            values[labels.index(row), names.index(name)] = value
        few = len(names) <= MOST_NAMED
        ax.imshow(values, cmap=SHADES, vmin=0, vmax=POINTS, aspect="auto", interpolation="none")
        ax.grid(False)
        ax.set_yticks(range(len(labels)), labels)
        ax.set_xticks(range(len(names)), names, rotation=0 if len(names) < MOST_LEVEL else 90)
        ax.tick_params(axis="x", labelsize=7 if few else 5)
        for (row, column), value in np.ndenumerate(values):
            if few and not np.isnan(value):
                colour = "white" if value > 55 else "black"
                ax.text(
                    column, row, f"{value:.1f}", ha="center", va="center", color=colour, fontsize=7
                )

    return draw


def _draw_confusion(names: Sequence[str]) -> Callable[[Axes, pd.DataFrame], None]:
    def draw(ax: Axes, data: pd.DataFrame) -> None:
        counts = data.to_numpy(float)
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        ax.imshow(shares, cmap=SHADES, vmin=0, vmax=1, aspect="auto", interpolation="none")
        ax.grid(False)
        ax.set_xticks(range(len(names)), names, rotation=90)
        ax.set_yticks(range(len(names)), names)
        ax.axhline(len(counts) - 1.5, color=FAINT, linewidth=0.5)
        ax.axvline(len(counts) - 1.5, color=FAINT, linewidth=0.5)

    return draw


def _from_0_to_1(ax: Axes) -> None:
    ticks = {"0": 0, "0.5": 0.5, "1": 1}
    ax.set(xlim=(0, 1), ylim=(0, 1.02))
    ax.set_xticks(list(ticks.values()), list(ticks))
    ax.set_yticks(list(ticks.values()), list(ticks))


def _draw_precision(ax: Axes, data: pd.DataFrame) -> None:
    _from_0_to_1(ax)
    for (kind, iou), line in data.groupby(["kind", "IoU"], sort=False):
        colour = SHADED[round(100 * iou)]
        ax.plot(line["recall"], line["precision"], DASHES[kind], color=colour, linewidth=1)


def _draw_calibration(ax: Axes, data: pd.DataFrame) -> None:
    _from_0_to_1(ax)
    ax.plot((0, 1), (0, 1), color=FAINT, linewidth=0.6)
    for kind, line in data.groupby("kind", sort=False):
        ax.plot(
            line["score"],
            line["hits"],
            DASHES[kind],
            color=ACCENT,
            linewidth=1,
            marker="o",
            markersize=1.8,
        )
