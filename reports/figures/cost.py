"""AP over what a model costs: multiply-adds of an image, and parameters, both of the paper's own models."""

from r3cnn.core.layout import AP_OVER_COST, AP_OVER_PARAMETERS

from ..results.intervals import POINTS, cell_interval, scored
from ..results.load import Results
from ..results.setting import Setting
from .lines import LineChart, points

GIGA, MILLION = 1e9, 1e6
KINDS = {"bbox": "box AP", "segm": "mask AP"}


def ap_over_cost(results: Results, setting: Setting) -> LineChart:
    """AP over multiply-adds, a panel each for boxes and masks; a line joins the loops of one training."""
    return _chart(
        results,
        setting,
        AP_OVER_COST,
        "AP over multiply-adds",
        "AP in percent over the multiply-adds of the paper's own model for one image of 1333 x 800 with 1,000 "
        "proposals and 100 final boxes; lines join the numbers of evaluation loops of one training.",
        ("multiply_adds.total", GIGA),
        ("giga_multiply_adds", "multiply-adds (G)"),
    )


def ap_over_parameters(results: Results, setting: Setting) -> LineChart:
    """AP over parameters, a panel each for boxes and masks; more evaluation loops need no more parameters."""
    return _chart(
        results,
        setting,
        AP_OVER_PARAMETERS,
        "AP over parameters",
        "AP in percent over the parameters of the paper's own model; points one above the other are numbers of "
        "evaluation loops of one training.",
        ("parameters.trainable", MILLION),
        ("million_parameters", "parameters (M)"),
    )


def _chart(
    results: Results,
    setting: Setting,
    name: str,
    title: str,
    caption: str,
    cost: tuple[str, float],
    x: tuple[str, str],
) -> LineChart:
    """cost: the metric of the measurement, and the unit of x. x: its column, and the label of the axis."""
    rows = []
    for training, loops in results.evaluations():
        costs = results.values(training, loops, cost[0])
        for key, kind in KINDS.items():
            values = results.values(training, loops, f"{key}.AP")
            if not costs or not values:
                continue
            interval = cell_interval(scored(results, training, loops, f"{key}.AP"))
            low, high = interval.bounds if interval else (None, None)
            rows.append(
                {"training": training, "L_e": loops, "kind": kind, x[0]: costs[0] / cost[1],
                 "AP": POINTS * sum(values) / len(values), "low": low, "high": high}
            )  # fmt: skip
    frame = points(rows, ("training", "L_e", "kind", x[0], "AP", "low", "high"))
    return LineChart(
        name,
        title,
        caption,
        frame,
        setting,
        x,
        ("AP", "AP"),
        panel="kind",
        colour="training",
        dash="training",
        ratios=True,
    )
