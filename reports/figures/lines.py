"""Charts of lines with bands in a grid of panels: their data, and their drawing."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from ..results.setting import Setting
from .panels import SHADES
from .svg import COLOURS, svg_of

COLUMNS, MOST_PANELS = 4, 30
# inches; the page shows 100 pixels an inch
WIDTH, LEFT, ABOVE, BETWEEN, KEY_HEIGHT = 10.0, 0.55, 0.3, 0.5, 0.22
PANEL_HEIGHT, LOW_PANEL = 2.3, 1.3  # of up to two columns, and of more
KEY_LETTERS = 110  # that fit next to one another in a key, with 8 for the line of each entry
MOST_TICKS = 6
TEXT = 8  # points
LIGHTEST = 0.5  # of the shades, 0 is white
DASHES, MARKERS = ("-", "--", "-.", ":"), ("o", "s", "^", "D")


@dataclass(frozen=True)
class LineChart:
    """Lines over x, one panel per group.

    frame: the data, one line per point; low and high, if there are such columns, are 95 % intervals. x and y: the
    columns that are drawn, and their labels. panel, colour and dash: the columns whose values choose those of a
    line; whole numbers have shades of one colour. zero: whether a line at 0 matters; several: whether a panel
    needs two values of x at least; ratios: whether x has a logarithmic scale.
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
    ratios: bool = False

    @functools.cached_property
    def drawn(self) -> pd.DataFrame:
        """The points that are drawn: those of the first panels, with a value."""
        there = self._drawable
        return there[there[self.panel].isin(there[self.panel].unique()[:MOST_PANELS])]

    @property
    def left_out(self) -> int:
        """How many panels are not drawn, as there are too many."""
        return max(0, self._drawable[self.panel].nunique() - MOST_PANELS)

    @functools.cached_property
    def _drawable(self) -> pd.DataFrame:
        there = self.frame.dropna(subset=[self.y[0]])
        if self.several:
            there = there[there.groupby(self.panel)[self.x[0]].transform("nunique") > 1]
        return there

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
        rows = self._grid[0]
        inches = ABOVE + rows * self._panel_height + (rows - 1) * BETWEEN + self._below
        return int(WIDTH * 100), round(100 * inches)

    def svg(self) -> bytes:
        """The drawing; the same data gives the same bytes."""
        width, height = self.size
        return svg_of((width / 100, height / 100), self._fill)

    def _fill(self, figure: Figure) -> None:
        """Draw the panels; the labels of the axes stand at the left and below only."""
        width, height = figure.get_size_inches()
        rows, columns = self._grid
        between = 0.2 if self.zero else 0.06
        grid = list(figure.subplots(rows, columns, squeeze=False, sharey=not self.zero).flat)
        figure.subplots_adjust(
            left=LEFT / width, right=0.99, top=1 - ABOVE / height, bottom=self._below / height,
            wspace=between, hspace=BETWEEN / self._panel_height,
        )  # fmt: skip
        groups = list(self.drawn.groupby(self.panel, sort=False))
        for place, (ax, (title, frame)) in enumerate(zip(grid, groups, strict=False)):
            self._draw(ax, str(title), frame)
            if place % columns == 0:
                ax.set_ylabel(self.y[1], fontsize=TEXT)
            if place + columns >= len(groups):
                ax.set_xlabel(self.x[1], fontsize=TEXT)
        for ax in grid[len(groups) :]:
            ax.set_axis_off()
        if self._key:
            figure.legend(
                [
                    Line2D([], [], color=colour, linestyle=dash, marker=self._marker(dash), markersize=3)
                    for _, colour, dash in self._key
                ],
                [label for label, _, _ in self._key],
                loc="lower left", ncols=self._key_columns, fontsize=TEXT, borderpad=0,
                bbox_to_anchor=(LEFT / width, 0.02 / height),
            )  # fmt: skip

    @property
    def _panel_height(self) -> float:
        return PANEL_HEIGHT if self._grid[1] < 3 else LOW_PANEL

    @property
    def _below(self) -> float:
        """Inches for the labels of x and the key."""
        return 0.5 + KEY_HEIGHT * -(-len(self._key) // self._key_columns)

    @staticmethod
    def _marker(dash: str) -> str:
        return MARKERS[DASHES.index(dash)]

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
        if numbers:
            ranked = sorted(column.unique())
            shades = SHADES(np.linspace(LIGHTEST, 1, len(ranked)) if len(ranked) > 1 else [1.0])
            return {value: to_hex(shade) for value, shade in zip(ranked, shades, strict=True)}
        values = column.unique()
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
        ax.set_title(title, loc="left", fontsize=TEXT)
        ax.tick_params(labelsize=TEXT - 1)
        if self.zero:
            ax.axhline(0, color="#555555", linewidth=0.8)
        by = list(dict.fromkeys([self.colour, self.dash]))
        faint = 0.15 if self.colour == self.dash else 0.15 / frame[self.colour].nunique()
        for _, line in frame.groupby(by, sort=False):
            line = line.sort_values(self.x[0])
            colour = self._colours[line[self.colour].iloc[0]]
            dash = self._dashes[line[self.dash].iloc[0]]
            _draw_line(ax, line, self.x[0], self.y[0], (colour, dash, self._marker(dash)), faint)
        ticks = np.unique(frame[self.x[0]].to_numpy(float))
        if self.ratios:
            ax.set_xscale("log")
            ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            ax.xaxis.set_minor_locator(NullLocator())
        elif np.all(ticks == ticks.round()) and len(ticks) <= MOST_TICKS:
            ax.set_xticks(ticks)


def _draw_line(
    ax: Axes, line: pd.DataFrame, x: str, y: str, look: tuple[str, str, str], faint: float
) -> None:
    """A line with its band, as opaque as `faint`; a single point with its bar. look: colour, dash, marker."""
    colour, dash, marker = look
    places, values = line[x].to_numpy(float), line[y].to_numpy(float)
    ax.plot(
        places, values, linestyle=dash, color=colour, marker=marker, markersize=2.5, linewidth=1.2
    )
    if "low" not in line or line["low"].isna().all():
        return
    low, high = (line[name].to_numpy(float) for name in ("low", "high"))
    if len(line) > 1:
        ax.fill_between(places, low, high, color=colour, alpha=faint, linewidth=0)
    else:
        ax.vlines(places, low, high, color=colour, linewidth=0.8)


def points(rows: list[dict], columns: Sequence[str]) -> pd.DataFrame:
    """A frame of these rows, with these columns if there are none; numbers to four digits behind the point."""
    return pd.DataFrame(rows, columns=list(columns)).round(4)


def _shown(value: object) -> str:
    return "not known" if value is None or pd.isna(value) else str(value)
