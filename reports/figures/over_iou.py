"""AP over the IoU threshold: of each row, and as a difference from the row it is compared with."""

from collections.abc import Iterator

from r3cnn.core.layout import AP_OVER_IOU, GAIN_OVER_IOU
from r3cnn.core.records import IOU_PERCENT

from ..results.differences import Side, difference_of
from ..results.errors import SHOWN
from ..results.intervals import (
    POINTS,
    Interval,
    cell_interval,
    scored,
    taken_in,
)
from ..results.load import Results
from ..results.setting import Setting
from ..tables.spec import Spec
from .lines import LineChart, points

X = ("IoU", "IoU needed")
Evaluation = tuple[str, int]


def ap_over_iou(results: Results, setting: Setting) -> LineChart:
    """AP at each IoU threshold, one panel per training and one line per number of evaluation loops."""
    rows = [
        {"training": training, "L_e": loops, "kind": kind, **point}
        for training, loops in results.evaluations()
        for key, kind in SHOWN.items()
        for point in _curve(results, (training, loops), key)
    ]
    return LineChart(
        AP_OVER_IOU,
        "AP over IoU",
        f"AP in percent where a detection needs this IoU. Bands are 95 % intervals over {taken_in(results)}.",
        points(rows, ("training", "L_e", "kind", "IoU", "AP", "low", "high")),
        setting,
        X,
        ("AP", "AP"),
        panel="training",
        colour="L_e",
        dash="kind",
    )


def gain_over_iou(spec: Spec, results: Results, setting: Setting) -> LineChart:
    """The difference of AP at each IoU threshold between an evaluation and its counterpart."""
    rows = [
        {
            "compared": f"{own[0]} minus {of_row(other, own)}",
            "training": own[0], "L_e": own[1], "against": other[0], "against_L_e": other[1],
            "kind": kind, **point,
        }
        for own, other in counterparts(spec, results)
        for key, kind in SHOWN.items()
        for point in _difference(results, own, other, key)
    ]  # fmt: skip
    columns = (
        "compared", "training", "L_e", "against", "against_L_e", "kind", "IoU", "difference", "low", "high",
    )  # fmt: skip
    return LineChart(
        GAIN_OVER_IOU,
        "Gain over IoU",
        "Points of AP that a row gains over a counterpart where a detection needs this IoU. Counterparts: the row "
        "that a table compares it with, the training that it is a variant of, and itself with the fewest loops in "
        f"evaluation. Paired over images; bands are 95 % intervals over {taken_in(results)}.",
        points(rows, columns),
        setting,
        X,
        ("difference", "points of AP"),
        panel="compared",
        colour="L_e",
        dash="kind",
        zero=True,
    )


def of_row(other: Evaluation, own: Evaluation) -> str:
    """The counterpart in words."""
    return f"itself with L_e = {other[1]}" if other[0] == own[0] else other[0]


def counterparts(spec: Spec, results: Results) -> list[tuple[Evaluation, Evaluation]]:
    """(evaluation, its counterpart) of those that have a score, each pair once."""
    there = set(results.evaluations())
    pairs = dict.fromkeys(
        ((row.training, row.loops), row.against)
        for table in spec.tables.values()
        for row in table.rows
        if row.against
    )
    pairs |= dict.fromkeys(_variants(spec, results))
    pairs |= dict.fromkeys(_of_itself(results))
    return [(own, other) for own, other in pairs if own in there and other in there]


def _variants(spec: Spec, results: Results) -> Iterator[tuple[Evaluation, Evaluation]]:
    """Each training and its parent, both evaluated with as many loops as they were trained with."""
    trained = {id_: facts.get("loops_trained") for (id_, _), facts in results.manifests.items()}
    for training, parent in spec.parents.items():
        own, other = trained.get(training), trained.get(parent)
        if own and other:
            yield (training, own), (parent, other)


def _of_itself(results: Results) -> Iterator[tuple[Evaluation, Evaluation]]:
    first: dict[str, int] = {}
    for training, loops in results.evaluations():
        if first.setdefault(training, loops) != loops:
            yield (training, loops), (training, first[training])


def _curve(results: Results, evaluation: Evaluation, key: str) -> list[dict]:
    """AP, low and high by IoU; nothing where a threshold was not scored, as before version 0.2."""
    found = []
    for percent in IOU_PERCENT:
        metric = f"{key}.AP{percent}"
        values = results.values(*evaluation, metric)
        if not values:
            return []
        interval = cell_interval(scored(results, *evaluation, metric))
        found.append(
            {"IoU": percent / 100, "AP": POINTS * sum(values) / len(values), **_band(interval)}
        )
    return found


def _difference(results: Results, own: Evaluation, other: Evaluation, key: str) -> list[dict]:
    found = []
    for percent in IOU_PERCENT:
        metric = f"{key}.AP{percent}"
        point = difference_of(Side(results, *own), Side(results, *other), metric)
        if point is None:
            return []
        band = _band(point.interval)
        found.append({"IoU": percent / 100, "difference": point.value, **band})
    return found


def _band(interval: Interval | None) -> dict[str, float | None]:
    low, high = interval.bounds if interval else (None, None)
    return {"low": low, "high": high}
