"""Compare two results folders: what changed, and by how much more than chance."""

import csv
import io
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from r3cnn.core.errors import UserError
from r3cnn.core.files import write_if_changed

from .differences import Side, difference_of
from .intervals import POINTS, UNKNOWN
from .load import Results


@dataclass(frozen=True)
class Compared:
    """One metric of one evaluation in both folders, in points; None where a folder lacks it.

    low, high: the 95 % interval of second minus first; images_only: how much seeds add to it is unknown. differs:
    what else is not the same.
    """

    training: str
    loops: int
    metric: str
    first: float | None
    second: float | None
    low: float | None = None
    high: float | None = None
    images_only: bool = False
    differs: str = ""

    @property
    def difference(self) -> float | None:
        """Second minus first."""
        if self.first is None or self.second is None:
            return None
        return self.second - self.first

    @property
    def verdict(self) -> str:
        """lower, higher or not told apart; '' without an interval."""
        if self.low is None or self.high is None:
            return ""
        return "lower" if self.high < 0 else "higher" if self.low > 0 else "not told apart"


def compare(first: Results, second: Results, metrics: Sequence[str]) -> list[Compared]:
    """Every evaluation of either folder. Raises: UserError for a metric that neither has."""
    known = set(first.frame["metric"]) | set(second.frame["metric"])
    scores = sorted(name for name in known if name.startswith(("bbox.", "segm.")))
    for metric in metrics:
        if metric not in scores:
            raise UserError(f"--metric {metric}: in neither folder; they have {scores}")
    evaluations = sorted({*first.evaluations(), *second.evaluations()})
    return [_compared(first, second, *pair, metric) for pair in evaluations for metric in metrics]


def _compared(first: Results, second: Results, training: str, loops: int, metric: str) -> Compared:
    differs = _differs(first, second, training, loops)
    found = difference_of(Side(second, training, loops), Side(first, training, loops), metric)
    if found is None:
        return Compared(
            training,
            loops,
            metric,
            _mean(first, training, loops, metric),
            _mean(second, training, loops, metric),
            differs=differs,
        )
    means = found.right, found.left
    if found.interval is None:
        return Compared(training, loops, metric, *means, differs=differs)
    images_only = found.interval.spread_from == UNKNOWN
    return Compared(training, loops, metric, *means, *found.interval.bounds, images_only, differs)


def _mean(results: Results, training: str, loops: int, metric: str) -> float | None:
    values = results.values(training, loops, metric)
    return statistics.fmean(values) * POINTS if values else None


def _differs(first: Results, second: Results, training: str, loops: int) -> str:
    """What of config, sources, data, scale and device is known of both folders and not the same."""
    found = []
    for name in ("config_sha256", "source_sha256", "data", "scale", "device"):
        sides = [
            {
                str(value)
                for key, provenance in results.score_provenance.items()
                if (key[0], key[2]) == (training, loops)
                and (value := (results.manifests.get(key[:2]) or provenance).get(name))
            }
            for results in (first, second)
        ]
        if all(sides) and sides[0] != sides[1]:
            found.append(name.removesuffix("_sha256"))
    return ", ".join(found)


def to_text(rows: list[Compared], first: str, second: str) -> str:
    """A Markdown table of the rows in both folders; below it, the evaluations that only one folder has."""
    head = (
        "Training",
        "L_e",
        "Metric",
        first,
        second,
        "Difference",
        "95 % interval",
        "",
        "Differs in",
    )
    lines = [head]
    for row in rows:
        if row.difference is None:
            continue
        interval = "" if row.low is None else f"{row.low:+.1f} to {row.high:+.1f}"
        numbers = (_shown(row.first), _shown(row.second), _shown(row.difference, "+.1f"))
        lines.append((row.training, str(row.loops), row.metric, *numbers, interval, row.verdict,
                      row.differs))  # fmt: skip
    cells = [[cell.replace("|", r"\|") for cell in line] for line in lines]
    right = {1, 3, 4, 5}
    align = tuple("right" if i in right else "left" for i in range(len(head)))
    table = tabulate(cells[1:], cells[0], tablefmt="pipe", disable_numparse=True, colalign=align)
    parts = [table if cells[1:] else "No evaluation is in both folders."]
    if len(cells) > 2 and any(row.verdict for row in rows):
        parts.append(f"The intervals are not corrected for the number of rows, {len(cells) - 1}.")
    if any(row.images_only for row in rows):
        parts.append(
            "The intervals cover other validation images only. How much a seed or a machine changes is unknown "
            "here; run several seeds to measure it."
        )
    for name, found in ((first, _only(rows, "second")), (second, _only(rows, "first"))):
        parts += [f"Only in {name}: {found}."] if found else []
    return "\n\n".join(parts)


def _only(rows: list[Compared], missing: str) -> str:
    """The evaluations that one folder (first or second) lacks: mask_1x (L_e = 1), ..."""
    loops: dict[str, list[int]] = {}
    for row in rows:
        if row.difference is None and getattr(row, missing) is None:
            of = loops.setdefault(row.training, [])
            of += [] if row.loops in of else [row.loops]
    return ", ".join(f"{id_} (L_e = {', '.join(map(str, of))})" for id_, of in loops.items())


def write_comparison(rows: list[Compared], path: Path) -> Path:
    """Write the rows as CSV, in points of AP. Raises: UserError."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["training", "loops", "metric", "first", "second", "difference", "low", "high",
                     "verdict", "differs"])  # fmt: skip
    for row in rows:
        numbers = (row.first, row.second, row.difference, row.low, row.high)
        shown = ["" if value is None else f"{value:.4f}" for value in numbers]
        writer.writerow([row.training, row.loops, row.metric, *shown, row.verdict, row.differs])
    return write_if_changed(path, buffer.getvalue())


def _shown(value: float | None, form: str = ".1f") -> str:
    return "" if value is None else f"{value:{form}}"
