"""Rows whose labels are a matrix: a column a factor, its levels beside the rows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

from sidebyside.report.pictures.style import new_figure

WIDTH = 5.0  # inches; at 360 pixels an 8.5 point letter is still 8.5 pixels high
_SIZE = 8.5  # points, of a letter
_GAP = 7.0  # points, between columns
_ROW = 0.19  # inches
_MOST = 0.62  # of the width that a matrix may take
_LEAN = 50  # degrees, of a column's head
_LEAST_SHARED = 4  # letters; fewer aren't worth a dotted one
_HEAD_FROM = 4  # points above the rows


@dataclass(frozen=True)
class Matrix:
    """What stands beside rows: the heads of columns, and a cell of each in every row.

    Attributes
    ----------
    heads : sequence of str
    rows : sequence of sequence of str
    ends : sequence of str
        What stands at the right end of each row; empty for nothing.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    ends: Sequence[str] = ()

    @cached_property
    def widths(self) -> list[float]:
        """The width of each column in points."""
        return [max(map(width_of, column)) for column in zip(*self.rows, strict=True)]

    @property
    def room_above(self) -> float:
        """The height of the heads, which lean, in inches."""
        lean = math.radians(_LEAN)
        length = max(map(width_of, self.heads))
        return (_HEAD_FROM + length * math.sin(lean) + _SIZE * math.cos(lean)) / 72

    @property
    def fits(self) -> bool:
        """Whether it leaves enough of a picture's width to what is drawn."""
        beside = max(map(width_of, self.ends), default=0)
        taken = sum(self.widths) + _GAP * len(self.heads) + beside
        return bool(self.heads) and taken <= _MOST * WIDTH * 72


def without_shared(texts: Sequence[str]) -> list[str]:
    """Return levels of a factor without the words that all begin with, e.g. "…last", "…first"."""
    alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*texts, strict=False))
    shared = "".join(letters[0] for letters in alike)
    begin = max(shared.rfind(sign) for sign in "_-. ") + 1
    if begin < _LEAST_SHARED or len(set(texts)) < 2 or any(len(text) == begin for text in texts):
        return list(texts)
    return [f"…{text[begin:]}" for text in texts]


def width_of(text: str, size: float = _SIZE) -> float:
    """Return the width of a text, in the unit of its size, in the font of matplotlib's own.

    Few fonts are wider.
    """
    font = FontProperties(family="DejaVu Sans", size=size)
    width, _, _ = TextToPath().get_text_width_height_descent(text, font, ismath=False)
    return float(width)


def matrix_rows(matrix: Matrix, spare: float) -> tuple[Figure, Axes, list[float]]:
    """Return a figure with a matrix left of its axes, see `style.labelled_rows`.

    ``spare`` is what the figure needs above and below the rows, in inches.
    """
    figure = new_figure(WIDTH, spare + matrix.room_above + _ROW * len(matrix.rows))
    axes = figure.add_subplot()
    places = [_ROW * (row + 0.5) for row in range(len(matrix.rows))]
    left = -sum(matrix.widths) - _GAP * len(matrix.widths)
    for number, (head, width) in enumerate(zip(matrix.heads, matrix.widths, strict=True)):
        _write(axes, head, 0, left, rotation=_LEAN, rotation_mode="anchor", color="#555555")
        for place, cells in zip(places, matrix.rows, strict=True):
            _write(axes, cells[number], place, left, va="center")
        left += width + _GAP
    for place, end in zip(places, matrix.ends, strict=False):
        _write(axes, end, place, 5, across=1, va="center")
    axes.set(ylim=(_ROW * len(matrix.rows), 0), yticks=[])
    axes.spines["left"].set_visible(False)
    return figure, axes, places


def _write(
    axes: Axes, text: str, place: float, aside: float, across: float = 0, **options: object
) -> None:
    axes.annotate(
        text,
        (across, place),
        xycoords=axes.get_yaxis_transform(),
        xytext=(aside, _HEAD_FROM if "rotation" in options else 0),
        textcoords="offset points",
        size=_SIZE,
        annotation_clip=False,
        **options,  # type: ignore[arg-type]
    )
