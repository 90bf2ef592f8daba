"""A drawing as SVG in the style of all figures; the same data gives the same bytes."""

import io
from collections.abc import Callable

from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .. import own_file

STYLE = own_file("style.mplstyle")
# Okabe and Ito's colours: told apart with any colour vision.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#777777")


def svg_of(
    size: tuple[float, float], fill: Callable[[Figure], None], layout: str | None = None
) -> bytes:
    """The figure that `fill` draws. size: width and height in inches; layout: matplotlib's layout engine."""
    buffer = io.BytesIO()
    with style.context(STYLE, after_reset=True):
        figure = Figure(figsize=size, layout=layout)
        FigureCanvasAgg(figure)
        fill(figure)
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
