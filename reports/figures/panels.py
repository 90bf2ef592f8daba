"""Small panels that are drawn alike, one per evaluation: the charts that the page opens on demand."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .svg import svg_of

ACCENT, FAINT = "#0550ae", "#8c959f"  # the page's one colour; reference lines
SHADES = LinearSegmentedColormap.from_list("accent", ("#ffffff", ACCENT))
MOST_PANELS = 48
LETTERS = 7  # points of text
_LETTER = 0.062  # inches that a letter of it takes, about
Key = tuple[str, str, str]  # label, colour, dash


@dataclass(frozen=True)
class Layout:
    """Inches of a grid of panels that is 10 wide: `left` for labels, `gap` below each panel."""

    columns: int = 6
    height: float = 1.2
    left: float = 0.5
    gap: float = 0.3
    below: float = 0.45


@dataclass(frozen=True)
class Panels:
    """A chart of small panels and the numbers that stand behind it.

    frame: all the data, one line per value; panels: title and data of each that is drawn; draw: puts such data
    into axes; table: what the page says in numbers: of each training and L_e the values of boxes and of masks,
    under `headings`.
    """

    name: str
    title: str
    caption: str
    frame: pd.DataFrame
    panels: Sequence[tuple[str, pd.DataFrame]]
    draw: Callable[[Axes, pd.DataFrame], None]
    x: str
    y: str
    headings: Sequence[str]
    table: Mapping[tuple[str, int], Mapping[str, Sequence[str]]]
    key: Sequence[Key] = ()
    layout: Layout = Layout()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels; the page shows 100 an inch."""
        rows, one = self._rows, self.layout
        return 1000, round(100 * (rows * (one.height + one.gap) + one.below))

    @property
    def kinds(self) -> tuple[str, ...]:
        """Box, mask or both: of what the table has values."""
        return tuple(dict.fromkeys(kind for row in self.table.values() for kind in row))

    @property
    def left_out(self) -> int:
        """How many panels would be too many."""
        return max(0, len(self.panels) - MOST_PANELS)

    @property
    def summary(self) -> str:
        """The chart in a sentence, for those who cannot see it; the table has its numbers."""
        shown = ", ".join(title.replace("$", "") for title, _ in self.panels[:MOST_PANELS])
        return f"{self.title}, {self.y} over {self.x}: {shown or 'nothing to draw'}."

    def svg(self) -> bytes:
        """The drawing; the same data gives the same bytes."""
        width, height = self.size
        return svg_of((width / 100, height / 100), self._fill)

    @property
    def _rows(self) -> int:
        return max(1, -(-min(len(self.panels), MOST_PANELS) // self.layout.columns))

    def _fill(self, figure: Figure) -> None:
        one, rows = self.layout, self._rows
        width, height = (side / 100 for side in self.size)
        grid = figure.subplots(rows, one.columns, squeeze=False)
        figure.subplots_adjust(
            left=one.left / width, right=0.99, top=1 - one.gap / height, bottom=one.below / height,
            wspace=0.12, hspace=one.gap / one.height,
        )  # fmt: skip
        axes, shown = list(grid.flat), self.panels[:MOST_PANELS]
        for place, ax in enumerate(axes):
            if place >= len(shown):
                ax.set_axis_off()
                continue
            title, data = shown[place]
            ax.set_title(title, loc="left", fontsize=LETTERS, pad=3)
            ax.tick_params(
                labelsize=LETTERS - 1, length=2, pad=1.5,
                labelleft=place % one.columns == 0,
                labelbottom=place + one.columns >= len(shown),  # no panel below
            )  # fmt: skip
            self.draw(ax, data)
        figure.supylabel(self.y, fontsize=LETTERS + 1, x=0.004)
        figure.text(one.left / width, 0.04 / height, self.x, fontsize=LETTERS + 1, va="bottom")
        if self.key:
            figure.legend(
                [Line2D([], [], color=colour, linestyle=dash) for _, colour, dash in self.key],
                [label for label, _, _ in self.key],
                loc="lower right", ncols=len(self.key), fontsize=LETTERS, borderpad=0,
            )  # fmt: skip


def room_for(labels: Sequence[str]) -> float:
    """Inches that labels at the left need."""
    return 0.35 + _LETTER * max((len(label) for label in labels), default=0)
