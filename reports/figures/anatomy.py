"""TIDE's kinds of errors, and how they change with the loops in evaluation."""

from collections.abc import Sequence

from r3cnn.core.layout import ERRORS_OVER_LOOPS
from r3cnn.core.records import TIDE

from ..results.errors import Wrong
from ..results.intervals import POINTS
from ..results.setting import Setting
from .lines import LineChart, points

NAMES = {
    "Cls": "class", "Loc": "localisation", "Both": "class and localisation", "Dupe": "duplicate",
    "Bkg": "background", "Miss": "missed",
}  # fmt: skip


def errors_over_loops(found: Sequence[Wrong], setting: Setting) -> LineChart:
    """AP50 that each kind of error costs, a panel a training with several numbers of evaluation loops.

    The frame has every evaluation; one that was scored before version 0.2 has no such file.
    """
    rows = [
        {
            "model": f"{wrong.training}, {wrong.kind}", "training": wrong.training, "L_e": wrong.loops,
            "kind": wrong.kind, "error": NAMES[name], "costs": POINTS * _mean(wrong, "gain", name),
            "count": _mean(wrong, "count", name), "seeds": len(wrong.of_seeds),
        }
        for wrong in found
        for name in TIDE
    ]  # fmt: skip
    columns = ("model", "training", "L_e", "kind", "error", "costs", "count", "seeds")
    return LineChart(
        ERRORS_OVER_LOOPS,
        "Errors over loops",
        "Points of AP50 that would be gained without the errors of a kind, by loops in evaluation, for trainings "
        "that were evaluated with several (TIDE: a detection is right from IoU 0.5 and background up to 0.1). "
        "Below are the numbers of all evaluations, with counts of errors: means over the seeds, not resampled.",
        points(rows, columns),
        setting,
        ("L_e", "Loops in evaluation ($L_e$)"),
        ("costs", "points of AP50"),
        panel="model",
        colour="error",
        dash="kind",
        several=True,
    )


def _mean(wrong: Wrong, part: str, name: str) -> float:
    return sum(one["tide"][part][name] for one in wrong.of_seeds) / len(wrong.of_seeds)
