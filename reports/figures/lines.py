"""Charts of lines with bands in a grid of panels: their data, and their drawing."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .. import own_file
from ..results.setting import Setting

COLUMNS = 3
WIDTH, PANEL_HEIGHT, KEY_HEIGHT = 10.0, 2.6, 0.5  # inches; the page shows 100 pixels an inch
MOST_PANELS = 30
# Okabe and Ito's colours: told apart with any colour vision.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#777777")
DASHES = ("-", "--")
_STYLE = own_file("style.mplstyle")


@dataclass(frozen=True)
class LineChart:
    """Lines over x, one panel a group.

    frame: the data, a line a point; low and high, where there are such columns, are 95 % intervals. panel, colour
    and dash: the columns whose values choose the panel, the colour and the dash of a line; x and y: those drawn.
    zero: whether a line at 0 matters; several: whether a panel needs two values of x at least.
    """

    name: str
    title: str
    caption: str
    frame: pd.DataFrame
    setting: Setting
    x: tuple[str, str]
    y: tuple[str, str]
    panel: str
    colour: str
    dash: str
    told: str = ""
    zero: bool = False
    several: bool = False
    ranks: str = ""

    @property
    def drawn(self) -> pd.DataFrame:
        """The points that are drawn: those of the first panels, with a value."""
        there = self.frame.dropna(subset=[self.y[0]])
        if self.several:
            there = there[there.groupby(self.panel)[self.x[0]].transform("nunique") > 1]
        return there[there[self.panel].isin(there[self.panel].unique()[:MOST_PANELS])]

    @property
    def summary(self) -> str:
        """The chart in a sentence, for those who cannot see it."""
        panels = self.drawn[self.panel].nunique()
        if not panels:
            return f"{self.title}: nothing has run."
        return f"{self.title}: {panels} panel{'s' * (panels > 1)}. {self.told}".strip()

    @property
    def lines(self) -> list[list[str]]:
        """The data as texts, row by row."""
        return [[_shown(value) for value in row] for row in self.frame.itertuples(index=False)]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        rows = max(1, -(-self.drawn[self.panel].nunique() // COLUMNS))
        return int(WIDTH * 100), round((rows * PANEL_HEIGHT + KEY_HEIGHT) * 100)

    def svg(self) -> bytes:
        """The drawing; the same data gives the same bytes."""
        buffer = io.BytesIO()
        with style.context(_STYLE, after_reset=True):
            figure = Figure(figsize=tuple(side / 100 for side in self.size), layout="constrained")
            FigureCanvasAgg(figure)
            groups = list(self.drawn.groupby(self.panel, sort=False))
            rows = max(1, -(-len(groups) // COLUMNS))
            grid = figure.subplots(rows, COLUMNS, squeeze=False, sharey=not self.zero).flat
            looks = self._looks()
            for ax, (title, frame) in zip(grid, groups, strict=False):
                self._draw(ax, str(title), frame, looks)
            for ax in list(grid)[len(groups) :] if groups else list(grid):
                ax.set_axis_off()
            self._key(figure, looks)
            figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        return buffer.getvalue()

    def _looks(self) -> dict[str, dict[object, str]]:
        """Which colour and dash a value of these columns has, in all panels."""
        return {
            column: {
                value: choices[i % len(choices)]
                for i, value in enumerate(self.drawn[column].unique())
            }
            for column, choices in ((self.colour, COLOURS), (self.dash, DASHES))
        }

    def _draw(
        self, ax: Axes, title: str, frame: pd.DataFrame, looks: dict[str, dict[object, str]]
    ) -> None:
        ax.set_title(title, loc="left", fontsize=9)
        ax.set_xlabel(self.x[1])
        ax.set_ylabel(self.y[1])
        if self.zero:
            ax.axhline(0, color="#555555", linewidth=0.8)
        for (colour, dash), line in frame.groupby([self.colour, self.dash], sort=False):
            line = line.sort_values(self.x[0])
            look = {"color": looks[self.colour][colour]}
            x = line[self.x[0]].to_numpy(float)
            ax.plot(
                x,
                line[self.y[0]].to_numpy(float),
                linestyle=looks[self.dash][dash],
                marker="o",
                markersize=2.5,
                linewidth=1.2,
                **look,
            )
            if "low" in line:
                low, high = (line[name].to_numpy(float) for name in ("low", "high"))
                ax.fill_between(x, low, high, alpha=0.15, linewidth=0, **look)
        ticks = np.unique(frame[self.x[0]].to_numpy(float))
        if len(ticks) <= 10 and np.all(ticks == ticks.round()):
            ax.set_xticks(ticks[:: 2 if len(ticks) > 6 else 1])

    def _key(self, figure: Figure, looks: dict[str, dict[object, str]]) -> None:
        from matplotlib.lines import Line2D

        def words(column: str, value: object) -> str:
            return (
                f"{column.replace('_', ' ')} {value}"
                if isinstance(value, int | np.integer)
                else str(value)
            )

        entries = [
            (Line2D([], [], color=look), words(self.colour, value))
            for value, look in looks[self.colour].items()
        ]
        if self.dash != self.colour:
            entries += [
                (Line2D([], [], color="#333333", linestyle=look), words(self.dash, value))
                for value, look in looks[self.dash].items()
            ]
        if entries:
            handles, labels = zip(*entries, strict=True)
            figure.legend(handles, labels, loc="outside lower left", ncols=min(len(labels), 9))


def points(rows: list[dict], columns: Sequence[str]) -> pd.DataFrame:
    """A frame of these rows, with these columns if there are none; numbers to four digits behind the point."""
    return pd.DataFrame(rows, columns=list(columns)).round(4)


def _shown(value: object) -> str:
    return "not known" if value is None or pd.isna(value) else str(value)
