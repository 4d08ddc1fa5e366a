"""The look of the page's pictures, as SVG: narrow enough for a phone.

Labels stand above their rows rather than beside them, and what belongs together is several small
pictures with the same axis, which a page can put beside or below each other. The same data give the
same text.
"""

import io
import textwrap
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sidebyside.report.pictures.style import STYLE, new_figure

Ends = tuple[float, float]

PAGE_STYLE: Any = STYLE | {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    # The grid says where a number is; a tick beside it is a third of a small picture's bytes.
    "xtick.bottom": False,
    "ytick.left": False,
    "xtick.minor.bottom": False,
    "ytick.minor.left": False,
    "legend.fontsize": 8,
    "svg.hashsalt": "sidebyside",  # else each save makes other ids
    "svg.fonttype": "none",  # letters as outlines would double a page's size
    "font.sans-serif": ["DejaVu Sans", "Verdana"],  # of the same widths, one is nearly everywhere
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
}
ZONE = "#CFE6F3"  # of differences too small to matter
WIDTH = 4.0  # inches; at 360 pixels a 9 point letter is still 10 pixels high
CHARACTERS = 50  # of a label, in that width
_LINE, _MARKS = 0.17, 0.3  # inches: a line of a row's label, the marks below it
_AROUND = 0.06  # of the shown range, free at either end


def labelled_rows(
    labels: Sequence[str], width: float, spare: float, characters: int = CHARACTERS
) -> tuple[Figure, Axes, list[float]]:
    """Return a figure with labels at the left end, over whatever lines pass there.

    Parameters
    ----------
    labels : sequence of str
        From top to bottom, broken into lines of so many ``characters``.
    width, spare : float
        Of the figure, and what it needs above and below the rows, inches.

    Returns
    -------
    figure, axes
    places : list of float
        Where the marks of each row go.
    """
    texts = [textwrap.fill(label, characters, subsequent_indent="    ") for label in labels]
    heights = [_LINE * (1 + text.count("\n")) + _MARKS for text in texts]
    *tops, end = accumulate(heights, initial=0.0)
    figure = new_figure(width, spare + end)
    axes = figure.add_subplot()
    for top, text in zip(tops, texts, strict=True):
        axes.text(
            0.01,
            top + 0.05,
            text,
            transform=axes.get_yaxis_transform(),
            va="top",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
            zorder=3,
        )
    axes.set(ylim=(end, 0), yticks=[])
    axes.spines["left"].set_visible(False)
    return figure, axes, [bottom - _MARKS / 2 for bottom in [*tops[1:], end]]


def with_room(values: Sequence[float]) -> Ends:
    """Return the ends of an axis that shows these values."""
    low, high = min(values), max(values)
    room = _AROUND * (high - low) or max(_AROUND * abs(high), 0.01)
    return low - room, high + room


def value_limits(values: Sequence[float], lowest: float | None) -> Ends:
    """Return the ends of an axis of values none of which is below 0, or wherever they end.

    ``lowest`` is 0 where nothing is below it, though an interval may be.
    """
    low, high = with_room(values)
    return (low if lowest is None else max(low, -_AROUND * high / 2)), high


def svg_text(figure: Figure) -> str:
    """Return a figure as SVG."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()
