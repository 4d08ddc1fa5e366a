"""Rows of means with their intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from sidebyside.report.page.matrix import Matrix, matrix_rows
from sidebyside.report.page.style import (
    PAGE_STYLE,
    WIDTH,
    ZONE,
    Ends,
    labelled_rows,
    svg_text,
    value_limits,
    with_room,
)
from sidebyside.report.pictures.style import BLUE, ORANGE, legend_below


@dataclass(frozen=True)
class Row:
    """A row of a plot of intervals.

    Attributes
    ----------
    label : str
        Above the row, where there is no room for a matrix.
    mean : float
    seeds, together : tuple of float or None
        Ends of the intervals over seeds, and for new seeds and images together.
    runs : sequence of float
        A dot each.
    color : str
        Of the mean and the interval over seeds.
    """

    label: str
    mean: float
    seeds: Ends | None = None
    together: Ends | None = None
    runs: Sequence[float] = ()
    color: str = BLUE


def interval_plot(
    rows: Sequence[Row],
    label: str,
    over_seeds: str,
    margin: float = 0,
    zero: bool = False,
    lowest: float | None = 0.0,
    matrix: Matrix | None = None,
) -> str:
    """Return rows of means with intervals.

    Parameters
    ----------
    rows : sequence of Row
        From top to bottom.
    label : str
        Of the axis.
    over_seeds : str
        What the thick interval is.
    margin : float
        Half the width of the zone about 0 that is shaded; 0 for none.
    zero : bool
        Whether to draw a line at 0.
    lowest : float or None
        See `sidebyside.report.page.style.value_limits`.
    matrix : Matrix or None
        What stands beside the rows, in place of their labels above, if it fits.
    """
    with mpl.rc_context(PAGE_STYLE):
        if matrix is not None and matrix.fits:
            figure, axes, places = matrix_rows(matrix, spare=0.95)
        else:
            figure, axes, places = labelled_rows([row.label for row in rows], WIDTH, spare=1.05)
        limits = _limits(rows, margin, zero, lowest)
        if zero:
            axes.axvline(0, color="black", lw=0.8)
        for row, y in zip(rows, places, strict=True):
            _draw_row(axes, row, y, limits, over_seeds)
        if margin:  # last, so that the legend's long labels are in one column
            axes.axvspan(-margin, margin, color=ZONE, lw=0, label="too small to matter")
        axes.set(xlim=limits, xlabel=label)
        legend_below(figure, axes, 2, handlelength=1.5)
        return svg_text(figure)


def _limits(rows: Sequence[Row], margin: float, zero: bool, lowest: float | None) -> Ends:
    """Return the ends of the axis: intervals over few seeds may be wider than all else."""
    shown = [value for row in rows for value in (row.mean, *row.runs, *(row.together or ()))]
    shown += [end for row in rows if row.seeds and not row.together for end in row.seeds]
    if zero:
        shown += [-1.5 * margin, 0, 1.5 * margin]
    return with_room(shown) if zero else value_limits(shown, lowest)


def _draw_row(axes: Axes, row: Row, y: float, limits: Ends, over_seeds: str) -> None:
    # Of equal labels `legend_below` keeps the first.
    below = y + 0.06
    if row.together:
        label = "95 % interval, new seeds and images"
        axes.plot(row.together, [below] * 2, color="black", lw=0.9, marker="|", ms=4, label=label)
    if row.seeds:
        ends = np.clip(row.seeds, *limits)
        axes.plot(ends, [y] * 2, color=row.color, lw=4, alpha=0.35, label=over_seeds)
        beyond = [(end, "<>"[i]) for i, end in enumerate(ends) if end != row.seeds[i]]
        for end, marker in beyond:
            axes.plot(end, y, marker, color=row.color, ms=6, label="goes on", ls="none")
    if row.runs:
        dots = [y - 0.02] * len(row.runs)
        axes.plot(row.runs, dots, "o", color=ORANGE, ms=4, alpha=0.8, label="one run", ls="none")
    axes.plot(row.mean, y, "|", color=row.color, ms=10, mew=2.2, label="mean", ls="none")
