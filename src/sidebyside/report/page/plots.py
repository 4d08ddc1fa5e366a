"""The page's plots of confusion, of cost and of learning curves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from numpy.typing import NDArray

from sidebyside.report.page.style import PAGE_STYLE, WIDTH, Ends, svg_text
from sidebyside.report.pictures.style import (
    BLUE,
    GREY,
    ORANGE,
    legend_below,
    log_by_epoch,
    new_figure,
)
from sidebyside.storage.evidence import RunEvidence

Curves = Mapping[str, NDArray[np.float64]]  # each shape (seeds, epochs), percent
_DIVERGING = LinearSegmentedColormap.from_list("difference", [BLUE, "white", ORANGE])
_MOST_SEEDS = 10  # whose own lines are drawn in a small picture
_SHORT = 3  # letters of a name that has room below a cell
_MOST_WRITTEN = 20  # classes; of more, a cell has no room for its number


def confusion_plot(difference: NDArray[np.float64], names: Sequence[str]) -> str:
    """Return the differences of two mean confusion matrices, the diagonal left out.

    Parameters
    ----------
    difference : ndarray, shape (classes, classes)
    names : sequence of str
        Of the classes.
    """
    classes = len(difference)
    diagonal = np.eye(classes, dtype=bool)
    shown = np.ma.array(difference, mask=diagonal)
    strongest = max(float(np.abs(shown).max()), 1e-9)
    with mpl.rc_context(PAGE_STYLE):
        figure = new_figure(WIDTH, WIDTH)
        axes = figure.add_subplot()
        # Darker would need white numbers.
        axes.imshow(shown, cmap=_DIVERGING, vmin=-1.4 * strongest, vmax=1.4 * strongest)
        for (row, column), value in np.ndenumerate(difference):
            if row != column and abs(value) >= 0.05 and classes <= _MOST_WRITTEN:
                axes.text(column, row, f"{value:+.1f}", ha="center", va="center", size=7)
        axes.grid(visible=False)
        if classes <= _MOST_WRITTEN:
            longest = max(map(len, names))
            axes.set_xticks(range(classes), names, rotation=90 if longest > _SHORT else 0)
            axes.set_yticks(range(classes), names)
        axes.set(xlabel="predicted", ylabel="target", facecolor="#EEEEEE")
        return svg_text(figure)


@dataclass(frozen=True)
class Point:
    """A variant in a picture of cost beside its mean, by its number on the page."""

    number: int
    cost: float
    value: float
    front: bool


def cost_plot(points: Sequence[Point], label: str, up: str) -> str:
    """Return cost across, the mean up; the Pareto front is a line with the variants' numbers."""
    front = sorted((p for p in points if p.front), key=lambda point: (point.cost, -point.value))
    others = [point for point in points if not point.front]
    with mpl.rc_context(PAGE_STYLE):
        figure = new_figure(WIDTH, 3)
        axes = figure.add_subplot()
        x, y = [point.cost for point in others], [point.value for point in others]
        axes.plot(x, y, "o", color=GREY, ms=5, alpha=0.7, ls="none", label="other variant")
        x, y = [point.cost for point in front], [point.value for point in front]
        axes.plot(
            x, y, "o-", color=BLUE, ms=6, lw=1.2, drawstyle="steps-post", label="Pareto front"
        )
        _number(axes, front)
        axes.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: _tick(value)))
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(nbins=5))
        axes.margins(0.12, 0.15)
        axes.set(xlabel=label, ylabel=up)
        legend_below(figure, axes, 2, handlelength=1.5)
        return svg_text(figure)


def _tick(value: float) -> str:
    """Return e.g. "0.6", "250" or "12.5M": of long numbers neighbours would touch."""
    return mpl.ticker.EngFormatter(sep="")(value) if value >= 10_000 else f"{value:,.10g}"


def _number(axes: Axes, front: Sequence[Point]) -> None:
    """Write the numbers below and left of the points, where a front has nothing else."""
    numbers: dict[Ends, list[int]] = {}
    for point in front:
        numbers.setdefault((point.cost, point.value), []).append(point.number)
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


def errors_by_epoch(runs: Sequence[RunEvidence]) -> dict[str, NDArray[np.float64]]:
    """Return the errors on "training" and, if all runs have them, "validation" images.

    Each of shape (runs, epochs), in percent; NaN where a run had stopped.
    """
    errors = {}
    for images, figure in (("training", "accuracy"), ("validation", "val_accuracy")):
        accuracies = [run.history.get(figure, []) for run in runs]
        if all(accuracies):
            by_epoch = np.array(list(zip_longest(*accuracies, fillvalue=np.nan)))
            errors[images] = 100 * (1 - by_epoch.T)
    return errors


def curve_plots(
    curves: Mapping[str, Curves],
) -> dict[str, str]:
    """Return a small picture of learning curves per variant, all with the same axes.

    Parameters
    ----------
    curves : dict of dict of ndarray
        By variant, what `errors_by_epoch` returns.
    """
    errors = [errors for of in curves.values() for errors in of.values()]
    values = np.concatenate([own.ravel() for own in errors])
    epochs = max(own.shape[1] for own in errors)
    above = values[values > 0]
    # A logarithm has no 0: errors of 0 are drawn on the axis.
    least = float(above.min()) / 1.3 if above.size else 0.01
    limits = least, max(float(np.nanmax(values)), least) * 1.3
    with mpl.rc_context(PAGE_STYLE):
        return {name: _curve_plot(of, limits, epochs) for name, of in curves.items()}


def _curve_plot(of: Curves, limits: Ends, epochs: int) -> str:
    figure = new_figure(2.1, 1.6)
    axes = figure.add_subplot()
    for name, color in (("training", GREY), ("validation", BLUE)):
        if name in of:
            errors = np.maximum(of[name], limits[0])
            x = np.arange(1, errors.shape[1] + 1)
            low, high = np.nanmin(errors, 0), np.nanmax(errors, 0)
            axes.fill_between(x, low, high, color=color, alpha=0.18, lw=0)
            if len(errors) <= _MOST_SEEDS:
                axes.plot(x, errors.T, color=color, lw=0.5, alpha=0.4)
            axes.plot(x, np.nanmean(errors, 0), color=color, lw=1.5, marker="o", ms=2.5)
    log_by_epoch(axes, numticks=8, nbins=5)
    axes.set(xlim=(0.7, epochs + 0.3), ylim=limits, xlabel="epoch", ylabel="error in %")
    return svg_text(figure)
