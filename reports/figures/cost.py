"""AP over the cost of an image: multiply-adds of the paper's own models, each with its loops in evaluation."""

from r3cnn.core.layout import AP_OVER_COST

from ..results.intervals import POINTS, cell_interval, scored
from ..results.load import Results
from ..results.setting import Setting
from .lines import LineChart, points

GIGA = 1e9
KINDS = {"bbox": "box AP", "segm": "mask AP"}


def ap_over_cost(results: Results, setting: Setting) -> LineChart:
    """AP over multiply-adds, a panel each for boxes and masks; a line joins the loops of one training."""
    rows = []
    for training, loops in results.evaluations():
        costs = results.values(training, loops, "multiply_adds.total")
        for key, kind in KINDS.items():
            values = results.values(training, loops, f"{key}.AP")
            if not costs or not values:
                continue
            interval = cell_interval(scored(results, training, loops, f"{key}.AP"))
            low, high = interval.bounds if interval else (None, None)
            rows.append(
                {"training": training, "L_e": loops, "kind": kind, "giga_multiply_adds": costs[0] / GIGA,
                 "AP": POINTS * sum(values) / len(values), "low": low, "high": high}
            )  # fmt: skip
    return LineChart(
        AP_OVER_COST,
        "AP over multiply-adds",
        "AP in percent over the multiply-adds of the paper's own model for one image of 1333 x 800 with 1,000 "
        "proposals and 100 final boxes; lines join the numbers of evaluation loops of one training.",
        points(rows, ("training", "L_e", "kind", "giga_multiply_adds", "AP", "low", "high")),
        setting,
        ("giga_multiply_adds", "multiply-adds (G)"),
        ("AP", "AP"),
        panel="kind",
        colour="training",
        dash="training",
        ratios=True,
    )
