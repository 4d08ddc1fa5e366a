"""Pictures of the page, as SVG: narrow enough for a phone, the same text for the same data.

Labels stand above their rows rather than beside them, and what belongs together is several small
pictures with the same axis, which a page can put beside or below each other.
"""

import io
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sidebyside.report.pictures import BLUE, GREEN, GREY, ORANGE, STYLE, new_figure

# The rest of Okabe & Ito's palette, for lines beyond the house's four colours.
LINES = (BLUE, ORANGE, GREEN, "#CC79A7", "#000000", "#56B4E9", "#E69F00", GREY)
VERDICTS = {"better": GREEN, "worse": ORANGE, "equivalent": BLUE, "can't tell": GREY}

_MARKERS = "osD^v<>P"
_DIVERGING = LinearSegmentedColormap.from_list("difference", [BLUE, "white", ORANGE])
_STYLE: Any = STYLE | {
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
_WIDTH = 4.0  # inches; at 360 pixels a 9 point letter is still 10 pixels high
_CHARACTERS = 50  # of a label, in that width
_LINE, _MARKS = 0.17, 0.3  # inches: a line of a row's label, the marks below it
_AROUND = 0.06  # of the shown range, free at either end
_ZONE = "#CFE6F3"
_MOST_WRITTEN = 20  # classes; of more, a cell has no room for its number

Ends = tuple[float, float]


@dataclass(frozen=True)
class Row:
    """A row of a plot of intervals.

    Attributes
    ----------
    label : str
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


@dataclass(frozen=True)
class Level:
    """A level over ``n`` seeds: mean error, ends of its interval, and the mean of each variant."""

    name: str
    n: int
    mean: float
    ends: Ends | None
    variants: Sequence[float]


@dataclass(frozen=True)
class Point:
    """A variant in a picture of cost beside error, by its number on the page."""

    number: int
    cost: float
    error: float
    front: bool


def interval_plot(
    rows: Sequence[Row],
    label: str,
    over_seeds: str,
    margin: float = 0,
    zero: bool = False,
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
    """
    with mpl.rc_context(_STYLE):
        labels = [_wrapped(row.label) for row in rows]
        heights = [_LINE * (1 + text.count("\n")) + _MARKS for text in labels]
        figure = new_figure(_WIDTH, 1.05 + sum(heights))
        axes = figure.add_subplot()
        limits = _limits(rows, margin, zero)
        if margin:
            axes.axvspan(-margin, margin, color=_ZONE, lw=0, label="too small to matter")
        if zero:
            axes.axvline(0, color="black", lw=0.8)
        top = 0.0
        for row, text, height in zip(rows, labels, heights, strict=True):
            _write_label(axes, top, text)
            _draw_row(axes, row, top + height - _MARKS / 2, limits, over_seeds)
            top += height
        axes.set(xlim=limits, ylim=(top, 0), xlabel=label, yticks=[])
        axes.spines["left"].set_visible(False)
        _legend_below(figure, axes)
        return _svg(figure)


def _wrapped(label: str, characters: int = _CHARACTERS) -> str:
    return "\n".join(textwrap.wrap(label, characters, subsequent_indent="    "))


def _write_label(axes: Axes, top: float, text: str) -> None:
    """Write a label at the left end, over whatever lines pass there."""
    axes.text(
        0.01,
        top + 0.05,
        text,
        transform=axes.get_yaxis_transform(),
        va="top",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        zorder=3,
    )


def _limits(rows: Sequence[Row], margin: float, zero: bool) -> Ends:
    """Return the ends of the axis: intervals over few seeds may be wider than all else."""
    shown = [value for row in rows for value in (row.mean, *row.runs, *(row.together or ()))]
    shown += [end for row in rows if row.seeds and not row.together for end in row.seeds]
    if zero:
        shown += [-1.5 * margin, 0, 1.5 * margin]
    return _with_room(shown) if zero else _of_errors(shown)


def _with_room(values: Sequence[float]) -> Ends:
    low, high = min(values), max(values)
    room = _AROUND * (high - low) or max(_AROUND * abs(high), 0.01)
    return low - room, high + room


def _of_errors(values: Sequence[float]) -> Ends:
    """Return the ends of an axis of errors: none is below 0, though an interval may be."""
    low, high = _with_room(values)
    return max(low, -_AROUND * high / 2), high


def _draw_row(axes: Axes, row: Row, y: float, limits: Ends, over_seeds: str) -> None:
    # Only the first of equal labels is kept by `_legend_below`.
    below = y + 0.08
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
    axes.plot(row.mean, y, "|", color=row.color, ms=11, mew=2.2, label="mean", ls="none")


def _legend_below(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    unique: dict[Any, Any] = {}
    for label, handle in zip(labels, handles, strict=True):
        unique.setdefault(label, handle)
    figure.legend(
        unique.values(),
        unique.keys(),
        loc="outside lower center",
        ncols=2,
        frameon=False,
        handlelength=1.5,
    )


def level_plots(factors: Mapping[str, Sequence[Level]]) -> dict[str, str]:
    """Return a picture per factor, mean error by level, all with the same axis."""
    limits = _level_limits([level for levels in factors.values() for level in levels])
    with mpl.rc_context(_STYLE):
        return {name: _level_plot(levels, limits) for name, levels in factors.items()}


def _level_limits(levels: Sequence[Level]) -> Ends:
    return _of_errors(
        [value for one in levels for value in (one.mean, *(one.ends or ()), *one.variants)]
    )


def _level_plot(levels: Sequence[Level], limits: Ends) -> str:
    labels = [_wrapped(f"{one.name} (n={one.n})", _CHARACTERS * 3 // 4) for one in levels]
    heights = [_LINE * (1 + text.count("\n")) + _MARKS for text in labels]
    figure = new_figure(3.0, 0.55 + sum(heights))
    axes = figure.add_subplot()
    top = 0.0
    for level, text, height in zip(levels, labels, heights, strict=True):
        _write_label(axes, top, text)
        y = top + height - _MARKS / 2
        if level.ends:
            axes.plot(level.ends, [y] * 2, color=BLUE, lw=4, alpha=0.35)
        below = [y + 0.09] * len(level.variants)
        axes.plot(level.variants, below, "o", color=GREY, ms=2.5, alpha=0.6)
        axes.plot(level.mean, y, "|", color=BLUE, ms=11, mew=2.2)
        top += height
    axes.set(xlim=limits, ylim=(top, 0), xlabel="test error in %", yticks=[])
    axes.spines["left"].set_visible(False)
    return _svg(figure)


def interaction_plots(pairs: Sequence[Mapping[str, Sequence[Level]]]) -> list[str]:
    """Return a picture per pair of factors, all with the same axis.

    Parameters
    ----------
    pairs : sequence of dict
        Lines, by level of the one factor: the levels of the other, from left to right.
    """
    limits = _level_limits([one for lines in pairs for line in lines.values() for one in line])
    with mpl.rc_context(_STYLE):
        return [_interaction_plot(lines, limits) for lines in pairs]


def _interaction_plot(lines: Mapping[str, Sequence[Level]], limits: Ends) -> str:
    names = list(dict.fromkeys(level.name for line in lines.values() for level in line))
    figure = new_figure(2.9, 2.6)
    axes = figure.add_subplot()
    for number, (name, line) in enumerate(lines.items()):
        aside = 0.08 * (number - (len(lines) - 1) / 2)  # so that intervals don't hide each other
        color = LINES[number % len(LINES)]
        where = [names.index(level.name) + aside for level in line]
        for x, level in zip(where, line, strict=True):
            if level.ends:
                axes.plot([x, x], level.ends, color=color, lw=3, alpha=0.3)
        axes.plot(
            where,
            [level.mean for level in line],
            color=color,
            lw=1.4,
            marker=_MARKERS[number % len(_MARKERS)],
            ms=4.5,
            label=textwrap.fill(name, 20),
        )
    axes.set_xticks(range(len(names)), [textwrap.fill(name, 14) for name in names])
    if len(names) > 3:
        axes.tick_params(axis="x", rotation=60)
    axes.set(ylim=limits, xlim=(-0.4, len(names) - 0.6), ylabel="test error in %")
    figure.legend(loc="outside upper center", ncols=2, frameon=False, handlelength=1.6)
    return _svg(figure)


def curve_plots(
    curves: Mapping[str, Mapping[str, NDArray[np.float64]]],
) -> dict[str, str]:
    """Return a small picture of learning curves per variant, all with the same axes.

    Parameters
    ----------
    curves : dict of dict of ndarray, each shape (seeds, epochs)
        By variant: errors in percent by "training" and, where there are any, "validation" images.
    """
    values = np.concatenate([one.ravel() for of in curves.values() for one in of.values()])
    epochs = max(one.shape[1] for of in curves.values() for one in of.values())
    above = values[values > 0]
    # A logarithm has no 0: errors of 0 are drawn on the axis.
    least = float(above.min()) / 1.3 if above.size else 0.01
    limits = least, max(float(values.max()), least) * 1.3
    with mpl.rc_context(_STYLE):
        return {name: _curve_plot(of, limits, epochs) for name, of in curves.items()}


def _curve_plot(of: Mapping[str, NDArray[np.float64]], limits: Ends, epochs: int) -> str:
    figure = new_figure(2.1, 1.6)
    axes = figure.add_subplot()
    for name, color in (("training", GREY), ("validation", BLUE)):
        if name in of:
            errors = np.maximum(of[name], limits[0])
            x = np.arange(1, errors.shape[1] + 1)
            axes.fill_between(x, errors.min(0), errors.max(0), color=color, alpha=0.25, lw=0)
            axes.plot(x, errors.mean(0), color=color, lw=1.5, marker="o", ms=2.5)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5), numticks=8))
    axes.yaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
    axes.yaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True, nbins=5))
    axes.set(xlim=(0.7, epochs + 0.3), ylim=limits, xlabel="epoch", ylabel="error in %")
    return _svg(figure)


def confusion_plot(difference: NDArray[np.float64]) -> str:
    """Return the differences of two mean confusion matrices, the diagonal left out."""
    classes = len(difference)
    diagonal = np.eye(classes, dtype=bool)
    shown = np.ma.array(difference, mask=diagonal)
    strongest = max(float(np.abs(shown).max()), 1e-9)
    with mpl.rc_context(_STYLE):
        figure = new_figure(_WIDTH, _WIDTH)
        axes = figure.add_subplot()
        # Darker would need white numbers.
        axes.imshow(shown, cmap=_DIVERGING, vmin=-1.4 * strongest, vmax=1.4 * strongest)
        for (row, column), value in np.ndenumerate(difference):
            if row != column and abs(value) >= 0.05 and classes <= _MOST_WRITTEN:
                axes.text(column, row, f"{value:+.1f}", ha="center", va="center", size=7)
        axes.grid(visible=False)
        if classes <= _MOST_WRITTEN:
            axes.set(xticks=range(classes), yticks=range(classes))
        axes.set(xlabel="predicted", ylabel="target", facecolor="#EEEEEE")
        return _svg(figure)


def cost_plot(points: Sequence[Point], label: str) -> str:
    """Return cost across, error up; the Pareto front is a line with the variants' numbers."""
    front = sorted((one for one in points if one.front), key=lambda one: (one.cost, -one.error))
    others = [one for one in points if not one.front]
    with mpl.rc_context(_STYLE):
        figure = new_figure(_WIDTH, 3)
        axes = figure.add_subplot()
        x, y = [one.cost for one in others], [one.error for one in others]
        axes.plot(x, y, "o", color=GREY, ms=5, alpha=0.7, ls="none", label="other variant")
        x, y = [one.cost for one in front], [one.error for one in front]
        axes.plot(
            x, y, "o-", color=BLUE, ms=6, lw=1.2, drawstyle="steps-post", label="Pareto front"
        )
        _number(axes, front)
        axes.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:,.10g}"))
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(nbins=5))
        axes.margins(0.12, 0.15)
        axes.set(xlabel=label, ylabel="mean test error in %")
        _legend_below(figure, axes)
        return _svg(figure)


def _number(axes: Axes, front: Sequence[Point]) -> None:
    """Write the numbers below and left of the points, where a front has nothing else."""
    numbers: dict[Ends, list[int]] = {}
    for one in front:
        numbers.setdefault((one.cost, one.error), []).append(one.number)
    for where, of in numbers.items():
        axes.annotate(
            ", ".join(map(str, sorted(of))),
            where,
            xytext=(-4, -4),
            textcoords="offset points",
            ha="right",
            va="top",
            weight="bold",
        )


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()
