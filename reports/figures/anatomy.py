"""TIDE's kinds of errors, and how they change with the loops in evaluation."""

from collections.abc import Iterator
from typing import Any

from r3cnn.core.errors import UserError
from r3cnn.core.files import read_json
from r3cnn.core.layout import ERRORS_OVER_LOOPS, RunFolder, errors_of
from r3cnn.core.records import KINDS, TIDE

from ..results.intervals import POINTS
from ..results.load import Results
from ..results.setting import Setting
from .lines import LineChart, points

NAMES = {
    "Cls": "class", "Loc": "localisation", "Both": "class and localisation", "Dupe": "duplicate",
    "Bkg": "background", "Miss": "missed",
}  # fmt: skip
SHOWN = {"bbox": "box", "segm": "mask"}


def errors_over_loops(results: Results, setting: Setting) -> LineChart:
    """AP50 that each kind of error costs, a panel a training with several numbers of evaluation loops.

    The frame has every evaluation; one that was scored before version 0.2 has no such file. Raises: UserError.
    """
    rows = [
        {
            "model": f"{training}, {SHOWN[kind]}", "training": training, "L_e": loops, "kind": SHOWN[kind],
            "error": NAMES[name], "costs": POINTS * _mean(found, "gain", name),
            "count": _mean(found, "count", name), "seeds": len(found),
        }
        for training, loops in results.evaluations()
        for kind, found in _of_seeds(results, training, loops)
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


def _of_seeds(
    results: Results, training: str, loops: int
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Box and mask: TIDE's breakdown of each seed that has one."""
    run = RunFolder(results.folder)
    seeds = sorted(s for t, s, n in results.score_provenance if (t, n) == (training, loops))
    paths = [errors_of(run.score(training, seed, loops)) for seed in seeds]
    files = [(path, read_json(path)) for path in paths if path.is_file()]
    for kind in KINDS if files else ():
        found = []
        for path, content in files:
            if kind in content and content[kind] is None:
                continue  # another tool's results, without boxes or without masks
            tide = (content.get(kind) or {}).get("tide") or {}
            if not all({*TIDE} <= {*(tide.get(part) or {})} for part in ("gain", "count")):
                raise UserError(
                    f"{path}: {kind}.tide: expected gain and count of {', '.join(TIDE)}; score again"
                )
            found.append(tide)
        if found:
            yield kind, found


def _mean(found: list[dict[str, Any]], part: str, name: str) -> float:
    return sum(one[part][name] for one in found) / len(found)
