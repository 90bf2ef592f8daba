"""Figure 2: how many training samples each loop gets at which IoU."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import EngFormatter, MaxNLocator

from r3cnn.core.errors import UserError
from r3cnn.core.files import write_if_changed
from r3cnn.core.layout import NAMES

from ..results.load import Results, histogram_of
from ..results.setting import Setting, paper_command
from .svg import COLOURS, STYLE

PANELS = (
    ("mask_3x", "(a) Mask R-CNN (3x)"),
    ("r3_naive_dec", "(b) R3-CNN, decreasing"),
    ("r3_naive_inc", "(c) R3-CNN, increasing"),
)
FORMATS = ("svg", "pdf", "png")
IOU_FROM = 0.5
WEIGHTS_GIVEN = "not trained here, nothing was counted"
MOST_LOOPS = 5  # of the palette's colours, which are dark to light in grey print
HIGH_IOU = 0.7
_NO_DATES: dict[str, dict[str, str | None]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "ModDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}


@dataclass(frozen=True)
class Panel:
    """One training's bars.

    bars: loop, iou_low, iou_high, count; summed over epochs and seeds. None if there are no counts,
        for the reason in `missing`.
    command: what makes the missing data; '' if nothing does.
    """

    training: str
    title: str
    bars: pd.DataFrame | None
    epochs: int
    seeds: tuple[int, ...]
    command: str
    missing: str = "not run"

    @property
    def loops(self) -> list[int]:
        """The loops that have bars."""
        return [] if self.bars is None else sorted(self.bars["loop"].unique().tolist())

    @property
    def pivot(self) -> pd.DataFrame:
        """Counts, bins (iou_low) x loops; empty if not run."""
        if self.bars is None:
            return pd.DataFrame()
        return self.bars.pivot(index="iou_low", columns="loop", values="count")

    @property
    def counts(self) -> list[tuple[float, list[int]]]:
        """(iou_low, the counts of the loops) of each bin."""
        filled = self.pivot.fillna(0).astype(int)
        return [(low, row.tolist()) for low, row in filled.iterrows()]

    @property
    def summary(self) -> str:
        """The panel in a sentence, for those who cannot see it."""
        if self.bars is None:
            return f"{self.title}: {self.missing}."
        total = int(self.bars["count"].sum())
        if total == 0:
            return f"{self.title}: no samples."
        high = int(self.bars.loc[self.bars["iou_low"] >= HIGH_IOU, "count"].sum())
        shares = ", ".join(
            f"loop {loop} {100 * count / total:.0f} %"
            for loop, count in self.bars.groupby("loop")["count"].sum().items()
        )
        return f"{self.title}: {total} samples, {100 * high / total:.0f} % of IoU {HIGH_IOU} up; {shares}."


@dataclass(frozen=True)
class Figure2:
    """The data behind Figure 2 and what it shows."""

    panels: tuple[Panel, ...]
    assignment: str
    view: str
    iou_from: float
    setting: Setting

    @property
    def caption(self) -> str:
        """What the bars are."""
        when = {"box": "before", "mask": "after"}[self.assignment]
        what = {
            "candidates": "All candidates of the assigner",
            "sampled": "Sampled RoIs",
            "positives": "Sampled positives",
        }[self.view]
        return (
            f"{what} in training, by the IoU with their best object {when} each loop's "
            f"refinement, from IoU {self.iou_from:g} up; summed over epochs and seeds, the loops "
            "stacked."
        )


def summed_bars(
    frame: pd.DataFrame, assignment: str = "box", view: str = "candidates", iou_from: float = 0.5
) -> pd.DataFrame:
    """Counts by loop and IoU bin over all epochs and seeds: loop, iou_low, iou_high, count."""
    chosen = frame[(frame["assignment"] == assignment) & (frame["view"] == view)].copy()
    # 0.55 may be read as 0.55000000000000004.
    chosen[["iou_low", "iou_high"]] = chosen[["iou_low", "iou_high"]].round(6)
    chosen = chosen[chosen["iou_low"] >= iou_from]
    keys = ["loop", "iou_low", "iou_high"]
    return chosen.groupby(keys, as_index=False)["count"].sum()[[*keys, "count"]]


def figure2_data(
    results: Results,
    setting: Setting,
    assignment: str = "box",
    view: str = "candidates",
    iou_from: float = IOU_FROM,
) -> Figure2:
    """The bars of the three panels. Raises: UserError where a histogram has no such rows."""
    panels = []
    for training, title in PANELS:
        loaded = histogram_of(results, training)
        bars, epochs, seeds = None, 0, ()
        if loaded is not None and loaded[0].empty:
            panels.append(Panel(training, title, None, 0, (), "", WEIGHTS_GIVEN))
            continue
        if loaded is not None:
            frame, seeds = loaded[0], tuple(loaded[1])
            bars, epochs = summed_bars(frame, assignment, view, iou_from), frame["epoch"].nunique()
            if bars.empty:
                raise UserError(
                    f"{results.folder / NAMES.training(training, seeds[0]).histogram}: no rows of "
                    f"assignment {assignment}, view {view}, IoU from {iou_from:g}; train it again"
                )
        command = paper_command(results, NAMES.training(training, 0).histogram.as_posix())
        panels.append(Panel(training, title, bars, epochs, seeds, command))
    return Figure2(tuple(panels), assignment, view, iou_from, setting)


def draw_figure2(data: Figure2) -> Figure:
    """The three panels; one scale of counts, so that heights compare between panels."""
    with style.context(STYLE, after_reset=True):
        figure = Figure(figsize=(10, 3.9), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(1, len(data.panels), sharex=True, sharey=True)
        for ax, panel in zip(axes, data.panels, strict=True):
            ax.set_title(panel.title, loc="left")
            if panel.bars is None:
                _draw_missing(ax, panel)
            else:
                _draw_bars(ax, panel)
        ran = [panel for panel in data.panels if panel.bars is not None]
        axes[0].set_ylabel(f"{data.view.capitalize()} (count)")
        axes[0].yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axes[0].yaxis.set_major_formatter(EngFormatter(sep=""))
        axes[0].set_xlim(data.iou_from - 0.01, 1.01)
        if not any(panel.bars["count"].sum() for panel in ran):
            axes[0].set_ylim(0, 1)
        for ax in axes:
            ax.set_xlabel("IoU with the best object")
        loops = sorted({loop for panel in ran for loop in panel.loops})
        if loops:
            handles = [Patch(facecolor=_colour(loop), label=f"Loop {loop}") for loop in loops]
            figure.legend(handles=handles, loc="outside upper center", ncols=len(loops))
        figure.text(0.995, 0.0, _foot(data), ha="right", va="bottom", fontsize=7, color="#555555")
        figure.get_layout_engine().set(rect=(0, 0.05, 1, 0.95))
    return figure


def render_figure2(data: Figure2) -> dict[str, bytes]:
    """The figure's files by suffix; the same data gives the same bytes."""
    files = {}
    with style.context(STYLE, after_reset=True):
        for suffix in FORMATS:
            buffer = io.BytesIO()
            # Drawn again for each: a save may settle the layout and so change the next one.
            draw_figure2(data).savefig(buffer, format=suffix, metadata=_NO_DATES[suffix])
            files[suffix] = buffer.getvalue()
    return files


def write_figure2(data: Figure2, out: Path) -> list[Path]:
    """Write figure2.{svg,pdf,png} into a folder. Raises: UserError."""
    files = render_figure2(data)
    return [write_if_changed(out / f"figure2.{suffix}", files[suffix]) for suffix in FORMATS]


def _draw_bars(ax: Axes, panel: Panel) -> None:
    counts = panel.pivot
    low = counts.index.to_numpy()
    width = panel.bars.groupby("iou_low")["iou_high"].first().to_numpy() - low
    below = np.zeros(len(low))
    for loop in counts.columns:
        heights = counts[loop].fillna(0).to_numpy()
        ax.bar(
            low, heights, width, below, align="edge", color=_colour(loop), edgecolor="white",
            linewidth=0.6,
        )  # fmt: skip
        below += heights
    seeds = "seed" if len(panel.seeds) == 1 else "seeds"
    epochs = "epoch" if panel.epochs == 1 else "epochs"
    ax.set_title(
        f"{panel.epochs} {epochs}, {len(panel.seeds)} {seeds}", loc="right", fontsize=8,
        color="#555555",
    )  # fmt: skip


def _draw_missing(ax: Axes, panel: Panel) -> None:
    ax.grid(False)
    ax.text(
        0.5, 0.62, panel.missing.replace(", ", ",\n"), transform=ax.transAxes, ha="center",
        va="center", fontsize=13, color="#555555",
    )  # fmt: skip
    # A path has no blanks to break at; a dollar sign would start a formula.
    command = "\n".join(_wrap(panel.command, 40)).replace("$", r"\$")
    ax.text(
        0.5, 0.5, command, transform=ax.transAxes, ha="center", va="top", fontsize=6.5,
        family="DejaVu Sans Mono", color="#333333",
    )  # fmt: skip


def _wrap(command: str, width: int) -> list[str]:
    lines = [""]
    for part in command.replace("/", "/\0").replace(" ", " \0").split("\0"):
        if len(lines[-1]) + len(part) > width:
            lines.append("")
        lines[-1] += part
    return [line for line in lines if line]


def _colour(loop: int) -> str:
    return COLOURS[(loop - 1) % MOST_LOOPS]


def _foot(data: Figure2) -> str:
    smoke = " These counts mean nothing: they show that it ran." if data.setting.meaningless else ""
    return f"Scale {data.setting.scale}; {data.setting.data}.{smoke}".replace("$", r"\$")
