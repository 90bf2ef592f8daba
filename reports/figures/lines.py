"""Charts of lines with bands in a grid of panels: their data, and their drawing."""

import functools
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .. import own_file
from ..results.setting import Setting

COLUMNS, MOST_PANELS = 3, 30
WIDTH, PANEL_HEIGHT, KEY_HEIGHT = 10.0, 2.6, 0.25  # inches; the page shows 100 pixels an inch
KEY_LETTERS = 110  # that fit beside one another in a key, with 8 for the line of each entry
MOST_TICKS = 6
# Okabe and Ito's colours: told apart with any colour vision.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#777777")
DASHES = ("-", "--")
_STYLE = own_file("style.mplstyle")


@dataclass(frozen=True)
class LineChart:
    """Lines over x, one panel a group.

    frame: the data, a line a point; low and high, where there are such columns, are 95 % intervals. x and y: the
    columns that are drawn, and their labels. panel, colour and dash: the columns whose values choose those of a
    line. zero: whether a line at 0 matters; several: whether a panel needs two values of x at least.
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
    zero: bool = False
    several: bool = False
    ranks: str = ""

    @functools.cached_property
    def drawn(self) -> pd.DataFrame:
        """The points that are drawn: those of the first panels, with a value."""
        there = self.frame.dropna(subset=[self.y[0]])
        if self.several:
            there = there[there.groupby(self.panel)[self.x[0]].transform("nunique") > 1]
        return there[there[self.panel].isin(there[self.panel].unique()[:MOST_PANELS])]

    @property
    def summary(self) -> str:
        """The chart in a sentence, for those who cannot see it."""
        panels = self.drawn[self.panel].unique()
        if not len(panels):
            return f"{self.title}: nothing to draw."
        return f"{self.title}, {self.y[1]} over {self.x[1]}: {', '.join(map(str, panels))}."

    @property
    def lines(self) -> list[list[str]]:
        """The data as texts, row by row."""
        return [[_shown(value) for value in row] for row in self.frame.itertuples(index=False)]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        key = 1 + -(-len(self._key) // self._key_columns)
        return int(WIDTH * 100), round((self._grid[0] * PANEL_HEIGHT + key * KEY_HEIGHT) * 100)

    def svg(self) -> bytes:
        """The drawing; the same data gives the same bytes."""
        buffer = io.BytesIO()
        with style.context(_STYLE, after_reset=True):
            figure = Figure(figsize=tuple(side / 100 for side in self.size), layout="constrained")
            FigureCanvasAgg(figure)
            grid = list(figure.subplots(*self._grid, squeeze=False, sharey=not self.zero).flat)
            groups = list(self.drawn.groupby(self.panel, sort=False))
            for ax, (title, frame) in zip(grid, groups, strict=False):
                self._draw(ax, str(title), frame)
            for ax in grid[len(groups) :]:
                ax.set_axis_off()
            if self._key:
                figure.legend(
                    [Line2D([], [], color=colour, linestyle=dash) for _, colour, dash in self._key],
                    [label for label, _, _ in self._key],
                    loc="outside lower left",
                    ncols=self._key_columns,
                )
            figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        return buffer.getvalue()

    @property
    def _grid(self) -> tuple[int, int]:
        """Rows and columns of panels."""
        panels = max(1, self.drawn[self.panel].nunique())
        columns = min(COLUMNS, panels)
        return -(-panels // columns), columns

    @functools.cached_property
    def _colours(self) -> dict[object, str]:
        """The colour of each value, in all panels."""
        column = self.drawn[self.colour]
        numbers = pd.api.types.is_integer_dtype(column)
        values = sorted(column.unique()) if numbers else column.unique()
        return {value: COLOURS[i % len(COLOURS)] for i, value in enumerate(values)}

    @functools.cached_property
    def _dashes(self) -> dict[object, str]:
        values = self.drawn[self.dash].unique()
        return {value: DASHES[i % len(DASHES)] for i, value in enumerate(values)}

    @functools.cached_property
    def _key(self) -> list[tuple[str, str, str]]:
        """Label, colour and dash of each entry."""
        if self.colour == self.dash:
            return [
                (str(value), colour, self._dashes[value]) for value, colour in self._colours.items()
            ]
        numbers = pd.api.types.is_integer_dtype(self.drawn[self.colour])
        label = f"${self.colour}$ = {{}}" if numbers else "{}"
        found = [(label.format(value), colour, "-") for value, colour in self._colours.items()]
        return [*found, *((str(value), "#333333", dash) for value, dash in self._dashes.items())]

    @property
    def _key_columns(self) -> int:
        widest = max((len(label) for label, _, _ in self._key), default=0)
        return max(1, min(len(self._key), KEY_LETTERS // (widest + 8)))

    def _draw(self, ax: Axes, title: str, frame: pd.DataFrame) -> None:
        ax.set_title(title, loc="left", fontsize=9)
        ax.set_xlabel(self.x[1])
        ax.set_ylabel(self.y[1])
        if self.zero:
            ax.axhline(0, color="#555555", linewidth=0.8)
        by = list(dict.fromkeys([self.colour, self.dash]))
        for _, line in frame.groupby(by, sort=False):
            line = line.sort_values(self.x[0])
            colour = self._colours[line[self.colour].iloc[0]]
            dash = self._dashes[line[self.dash].iloc[0]]
            _draw_line(ax, line, self.x[0], self.y[0], colour, dash)
        ticks = np.unique(frame[self.x[0]].to_numpy(float))
        if np.all(ticks == ticks.round()) and len(ticks) <= MOST_TICKS:
            ax.set_xticks(ticks)


def _draw_line(ax: Axes, line: pd.DataFrame, x: str, y: str, colour: str, dash: str) -> None:
    """A line with its band; a single point with its bar."""
    places, values = line[x].to_numpy(float), line[y].to_numpy(float)
    ax.plot(places, values, linestyle=dash, color=colour, marker="o", markersize=2.5, linewidth=1.2)
    if "low" not in line or line["low"].isna().all():
        return
    low, high = (line[name].to_numpy(float) for name in ("low", "high"))
    if len(line) > 1:
        ax.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)
    else:
        ax.vlines(places, low, high, color=colour, linewidth=0.8)


def points(rows: list[dict], columns: Sequence[str]) -> pd.DataFrame:
    """A frame of these rows, with these columns if there are none; numbers to four digits behind the point."""
    return pd.DataFrame(rows, columns=list(columns)).round(4)


def _shown(value: object) -> str:
    return "not known" if value is None or pd.isna(value) else str(value)
