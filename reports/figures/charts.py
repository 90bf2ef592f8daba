"""Charts of the controls: AP over loops of training and evaluation, and AP against how even the IoUs are."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from r3cnn.core.files import write_if_changed

from ..results.intervals import POINTS
from ..results.load import Results, histogram_of
from ..results.setting import Setting
from ..tables.spec import Spec
from .figure2 import IOU_FROM, summed_bars
from .histograms import evenness
from .lines import LineChart
from .panels import Panels
from .svg import COLOURS, svg_of

HEAT_MAP, SCATTER = "heat_map", "scatter"
APS = {"box_AP": ("bbox.AP", "Box AP"), "mask_AP": ("segm.AP", "Mask AP")}
MARKERS = "osD^vP"
WIDTH, HEIGHT, KEY_ROW = 1000, 420, 20  # pixels; the last of a row of the key
KEY_COLUMNS = 6
FEWEST_RANKED = 4  # points for which a rank correlation is shown


@dataclass(frozen=True)
class Chart:
    """A heat map or a scatter plot and its data.

    frame: heat_map: training, L_t, L_e, box_AP, mask_AP, one line per cell; scatter: training, L_e,
        evenness, box_AP, mask_AP, one line per point. APs in percent, over all seeds, missing where not run.
    """

    name: str
    kind: str
    title: str
    caption: str
    frame: pd.DataFrame
    setting: Setting
    view: str = ""  # of a scatter plot: which boxes' IoUs
    left_out = 0  # all points and cells are drawn

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels: a scatter plot has its key below."""
        rows = math.ceil(len(self.frame) / KEY_COLUMNS) if self.kind == SCATTER else 0
        return WIDTH, HEIGHT + KEY_ROW * rows

    def svg(self) -> bytes:
        """The drawing; the same data gives the same bytes."""
        return render(self)

    @property
    def summary(self) -> str:
        """The chart in a sentence, for those who cannot see it."""
        ran = self.frame.dropna(subset=["box_AP"])
        if ran.empty:
            return f"{self.title}: nothing has run."
        best = ran.loc[ran["box_AP"].idxmax()]
        words = (
            f"{len(ran)} of {len(self.frame)} run"
            if self.kind == HEAT_MAP
            else f"{len(ran)} points"
        )
        where = f"{best['training']} with L_e = {best['L_e']}"
        return f"{self.title}: {words}; the best box AP is {best['box_AP']:.1f}, of {where}."

    @property
    def lines(self) -> list[list[str]]:
        """The data as texts, row by row."""
        return [[_shown(value) for value in row] for row in self.frame.itertuples(index=False)]


def build_charts(spec: Spec, results: Results, setting: Setting) -> list[Chart]:
    """The charts that the tables' file names, from what has run."""
    return [_chart(name, entry, results, setting) for name, entry in spec.charts.items()]


def write_charts(charts: Sequence[Chart | LineChart | Panels], out: Path) -> list[Path]:
    """Write each chart as SVG and its data as CSV. Raises: UserError."""
    files = []
    for chart in charts:
        files.append(write_if_changed(out / f"{chart.name}.svg", chart.svg()))
        files.append(write_if_changed(out / f"{chart.name}.csv", chart.frame.to_csv(index=False)))
    return files


def correlation(frame: pd.DataFrame) -> str:
    """Spearman's rank correlation of a scatter plot's evenness and AP in words; '' of fewer than FEWEST_RANKED."""
    if len(frame) < FEWEST_RANKED:
        return ""
    ranks = frame[["evenness", *APS]].rank().corr()["evenness"]
    box, mask = (f"{ranks[name]:.2f}" for name in APS)
    return f"Rank correlation of evenness with box AP {box}, with mask AP {mask}."


def _chart(name: str, entry: dict[str, Any], results: Results, setting: Setting) -> Chart:
    heat_map = entry["kind"] == HEAT_MAP
    frame = _cells(entry, results) if heat_map else _points(entry["view"], results)
    caption = " ".join(entry["caption"].split())
    if not heat_map:
        caption = f"{caption} {correlation(frame)}".rstrip()
    return Chart(
        name, entry["kind"], entry["title"], caption, frame, setting, entry.get("view", "")
    )


def _cells(entry: dict[str, Any], results: Results) -> pd.DataFrame:
    """AP of each training (in order) with each L_e; L_t is missing where the training has not run."""
    rows = []
    for training in entry["trainings"]:
        trained = _loops_trained(results, training)
        rows += [
            {"training": training, "L_t": trained, "L_e": loops, **_aps(results, training, loops)}
            for loops in entry["loops"]
        ]
    return pd.DataFrame(rows).astype({"L_t": "Int64"})


def _points(view: str, results: Results) -> pd.DataFrame:
    """Evenness of the boxes' IoU and AP at L_e = L_t, of each training that counted."""
    rows = []
    reused = {id_ for (id_, _), facts in results.manifests.items() if facts.get("trained_as")}
    for training in dict.fromkeys(id_ for id_, _ in results.manifests if id_ not in reused):
        loops, even = _loops_trained(results, training), _evenness(results, training, view)
        aps = _aps(results, training, loops)
        if even is not None and aps["box_AP"] is not None:
            rows.append({"training": training, "L_e": loops, "evenness": round(even, 4), **aps})
    return pd.DataFrame(rows, columns=["training", "L_e", "evenness", *APS])


def _loops_trained(results: Results, training: str) -> int | None:
    found = (facts for (id_, _), facts in results.manifests.items() if id_ == training)
    return next((facts.get("loops_trained") for facts in found), None)


def _evenness(results: Results, training: str, view: str) -> float | None:
    """Of a view before the refinement, all loops together, from IoU 0.5 up."""
    loaded = histogram_of(results, training)
    if loaded is None:
        return None
    counts = summed_bars(loaded[0], view=view, iou_from=IOU_FROM).groupby("iou_low")["count"].sum()
    return evenness(counts.tolist()) if counts.sum() else None


def _aps(results: Results, training: str, loops: int | None) -> dict[str, float | None]:
    frame = results.frame
    rows = (
        frame[(frame["training"] == training) & (frame["loops"] == loops)] if loops else frame[:0]
    )
    means = rows.groupby("metric")["value"].mean()
    return {
        name: round(POINTS * float(means[metric]), 4) if pd.notna(means.get(metric)) else None
        for name, (metric, _) in APS.items()
    }


def _shown(value: Any) -> str:
    return "not run" if value is None or pd.isna(value) else str(value)


# --------------------------------------------------------------------------- drawing


def render(chart: Chart) -> bytes:
    """The chart as SVG; the same data gives the same bytes."""

    def fill(figure: Figure) -> None:
        axes = figure.subplots(1, len(APS))
        for ax, name in zip(axes, APS, strict=True):
            ax.set_title(APS[name][1], loc="left")
            if chart.kind == HEAT_MAP:
                _draw_heat_map(ax, chart.frame, name)
            else:
                _draw_scatter(ax, chart.frame, name, chart.view)
        if chart.kind == SCATTER and len(chart.frame):
            handles, labels = axes[0].get_legend_handles_labels()
            figure.legend(
                handles,
                labels,
                loc="outside lower left",
                ncols=KEY_COLUMNS,
                fontsize=7,
                frameon=False,
            )

    width, height = chart.size
    return svg_of((width / 100, height / 100), fill, layout="constrained")


def _draw_heat_map(ax: Axes, frame: pd.DataFrame, name: str) -> None:
    """A row for each training, columns of L_e, the AP in each cell."""
    trained = frame.drop_duplicates("training").set_index("training")["L_t"]
    wide = frame.pivot(index="training", columns="L_e", values=name).astype(float)
    wide = wide.reindex(trained.index)
    values = wide.to_numpy()
    shown = np.ma.masked_invalid(values)
    ax.imshow(shown, cmap="cividis", aspect="auto")
    ax.grid(False)
    ax.set_xticks(range(len(wide.columns)), wide.columns)
    ax.set_yticks(range(len(wide.index)), _row_labels(trained))
    ax.set_xlabel("Loops in evaluation ($L_e$)")
    ax.set_ylabel("Loops in training ($L_t$)")
    middle = (shown.min() + shown.max()) / 2 if shown.count() else 0
    for (row, column), value in np.ndenumerate(values):
        missing = np.isnan(value)
        colour = "#555555" if missing else "white" if value < middle else "black"
        text = "not run" if missing else f"{value:.1f}"
        ax.text(
            column, row, text, ha="center", va="center", color=colour, fontsize=7 if missing else 9
        )


def _row_labels(trained: pd.Series) -> list[str]:
    """L_t, {training: L_t}; the trainings' ids where one has not run or two have the same."""
    if trained.notna().all() and trained.is_unique:
        return [str(loops) for loops in trained]
    return [f"{id_} ({'not run' if pd.isna(loops) else loops})" for id_, loops in trained.items()]


def _draw_scatter(ax: Axes, frame: pd.DataFrame, name: str, view: str) -> None:
    """A point for each training, told apart by colour and shape."""
    ax.set_xlabel(f"Evenness of the IoUs from 0.5 up, {view} (1: all alike)")
    ax.set_ylabel(APS[name][1])
    if frame.empty:
        ax.text(0.5, 0.5, "not run", transform=ax.transAxes, ha="center", color="#555555")
        return
    looks = itertools.cycle(itertools.product(MARKERS, COLOURS))
    points = frame[["training", "evenness", name]].itertuples(index=False)
    for (marker, colour), (training, x, y) in zip(looks, points, strict=False):
        if pd.notna(y):
            ax.scatter([x], [float(y)], s=26, color=colour, marker=marker, label=training)
