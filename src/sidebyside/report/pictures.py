"""Pictures: light, readable, the same bytes for the same data."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

# Okabe & Ito's palette, told apart with any kind of colour vision.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#6B6B6B"
_ROOM = 1.25  # of the highest error on the axis
STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.color": "#E4E4E4",
    "axes.axisbelow": True,
    "figure.dpi": 110,
    "savefig.dpi": 110,
}


def draw_errors(
    runs: pd.DataFrame, variants: Sequence[Mapping[str, Any]], title: str, path: Path
) -> None:
    """Draw a dot per run, mean and intervals per variant, the lowest error on top.

    Parameters
    ----------
    runs : pandas.DataFrame
        With columns ``variant`` and ``test_error`` (percent).
    variants : sequence of dict
        As in ``comparison.json``.
    title : str
    path : pathlib.Path
        The PNG to write.
    """
    ordered = sorted(variants, key=lambda variant: variant["test_error"]["mean"])
    with mpl.rc_context(STYLE):
        figure = new_figure(8.5, 1.5 + 0.3 * len(ordered))
        axes = figure.add_subplot()
        # Intervals of two or three seeds may be wider than all there is to see.
        limit = _ROOM * max(runs["test_error"].max(), 1e-3)
        for row, variant in enumerate(ordered):
            _draw_variant(axes, row, variant, runs[runs["variant"] == variant["name"]], limit)
        axes.set_yticks(range(len(ordered)), _row_labels(ordered), family="monospace", size=9)
        axes.set_ylim(len(ordered) - 0.4, -0.6)
        axes.set_xlim(0, limit * 1.03)
        axes.set_xlabel("test error in %")
        axes.set_title(title, loc="left")
        axes.grid(axis="y", visible=False)
        handles, labels = axes.get_legend_handles_labels()
        unique = dict(zip(labels, handles, strict=True))
        figure.legend(
            unique.values(), unique.keys(), loc="outside lower center", ncols=3, frameon=False
        )
        save(figure, path)


def _draw_variant(
    axes: Axes, row: int, variant: Mapping[str, Any], runs: pd.DataFrame, limit: float
) -> None:
    error = variant["test_error"]
    _draw_interval(axes, row, variant["seeds_and_images"], limit, "new seeds and images", 7)
    _draw_interval(axes, row, error, limit, "over seeds", 2)
    axes.plot(
        runs["test_error"],
        [row] * len(runs),
        "o",
        color=ORANGE,
        ms=5,
        alpha=0.8,
        label="one run",
        ls="none",
    )
    axes.plot(error["mean"], row, "|", color=BLUE, ms=13, mew=2.5, label="mean", ls="none")


def _draw_interval(
    axes: Axes,
    row: int,
    ends: Mapping[str, float | None] | None,
    limit: float,
    what: str,
    width: float,
) -> None:
    if ends is None or ends["low"] is None or ends["high"] is None:
        return
    low, high = ends["low"], min(ends["high"], limit)
    label, alpha = f"95 % interval, {what}", 0.2 if width > 2 else 0.6
    axes.plot(
        [low, high],
        [row, row],
        color=BLUE,
        lw=width,
        alpha=alpha,
        label=label,
        solid_capstyle="butt",
    )
    if ends["high"] > limit:
        label = "interval goes on"
        axes.plot(limit, row, ">", color=BLUE, ms=6, alpha=0.6, label=label, ls="none")


def _row_labels(variants: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return one label per variant, its levels in aligned columns, and its protocol if several."""
    names = list(variants[0]["factors"])
    if not names:
        return [variant["name"] or "the only variant" for variant in variants]
    columns = [[_level(name, variant["factors"][name]) for variant in variants] for name in names]
    protocols = [variant["protocol"] for variant in variants]
    if len(set(protocols)) > 1 and "protocol" not in names:
        columns.append(protocols)
    widths = [max(len(cell) for cell in column) for column in columns]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in zip(*columns, strict=True)
    ]


def _level(name: str, level: Any) -> str:
    if name == "kernel_size":
        return f"{level}x{level}"
    if isinstance(level, bool):
        return name if level else f"no {name}"
    if isinstance(level, str):
        return level
    return f"{name} {level}"


def draw_curves(curves: pd.DataFrame, title: str, path: Path) -> None:
    """Draw validation error by epoch, one panel per variant: mean, and a band over the seeds.

    Parameters
    ----------
    curves : pandas.DataFrame
        With columns ``variant``, ``seed``, ``epoch``, ``training_error`` and
        ``validation_error`` (percent).
    title : str
    path : pathlib.Path
        The PNG to write.
    """
    variants = list(dict.fromkeys(curves["variant"]))
    columns = min(4, len(variants))
    rows = -(-len(variants) // columns)
    with mpl.rc_context(STYLE):
        figure = new_figure(2.9 * columns + 0.6, 2.2 * rows + 1.1)
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for panel, variant in zip(panels.flat, variants, strict=False):
            _draw_curve(panel, curves[curves["variant"] == variant])
            panel.set_title(variant.replace(",", "\n") or "the only variant", size=8)
        for panel in panels.flat[len(variants) :]:
            panel.set_visible(False)
        for panel in panels[:, 0]:
            panel.set_ylabel("error in %")
        for panel in panels[-1]:
            panel.set_xlabel("epoch")
        handles, labels = panels.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=2, frameon=False)
        figure.suptitle(title, x=0.01, ha="left", size=11)
        save(figure, path)


def _draw_curve(axes: Axes, curves: pd.DataFrame) -> None:
    for column, color in (("training_error", GREY), ("validation_error", BLUE)):
        by_epoch = curves.groupby("epoch")[column]
        mean, low, high = by_epoch.mean(), by_epoch.min(), by_epoch.max()
        label = column.replace("_error", " images")
        axes.plot(mean.index, mean, color=color, lw=1.6, marker="o", ms=3, label=label)
        axes.fill_between(mean.index, low, high, color=color, alpha=0.2, lw=0)
    log_by_epoch(axes)


def log_by_epoch(axes: Axes) -> None:
    """Give axes whole epochs across and a logarithmic scale with plain numbers up."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
    axes.yaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))


def draw_history(history: Mapping[str, Sequence[float]], title: str, path: Path) -> None:
    """Draw one run's learning curves: accuracy above, cross-entropy below.

    Parameters
    ----------
    history : dict of list of float
        Figures after each epoch: accuracy, loss and, where there are validation images,
        val_accuracy and val_loss.
    title : str
    path : pathlib.Path
        The PNG to write.
    """
    with mpl.rc_context(STYLE):
        figure = new_figure(6, 6)
        panels = figure.subplots(2, 1, sharex=True)
        shown = (("accuracy", "accuracy"), ("loss", "cross-entropy in nats"))
        for axes, (name, label) in zip(panels, shown, strict=True):
            for prefix, color, whose in (("", GREY, "training"), ("val_", BLUE, "validation")):
                if values := history.get(prefix + name):
                    epochs = range(1, len(values) + 1)
                    axes.plot(epochs, values, color=color, marker="o", ms=3, label=whose)
            axes.set_ylabel(label)
            axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
        panels[0].legend(frameon=False)
        panels[0].set_title(title, size=9, wrap=True)
        panels[1].set_xlabel("epoch")
        save(figure, path)


def draw_confusion(confusion: Sequence[Sequence[int]], title: str, path: Path) -> None:
    """Draw a confusion matrix: targets down, predictions across, only errors coloured."""
    counts = np.asarray(confusion)
    errors = np.where(np.eye(len(counts), dtype=bool), 0, counts)
    with mpl.rc_context(STYLE):
        figure = new_figure(6, 6)
        axes = figure.add_subplot()
        axes.imshow(errors, cmap="Oranges", vmax=max(errors.max(), 1) * 1.4)
        strong = errors.max() * 0.9
        for (row, column), count in np.ndenumerate(counts):
            if count:
                bold = "bold" if row == column else "normal"
                color = "white" if errors[row, column] > strong > 3 else "black"
                axes.text(
                    column,
                    row,
                    str(count),
                    ha="center",
                    va="center",
                    size=8,
                    weight=bold,
                    color=color,
                )
        axes.set_xticks(range(len(counts)))
        axes.set_yticks(range(len(counts)))
        axes.set_xlabel("predicted")
        axes.set_ylabel("target")
        axes.grid(visible=False)
        axes.set_title(title, size=9, wrap=True)
        save(figure, path)


def draw_samples(
    images: NDArray[Any], labels: NDArray[Any], rows: int, columns: int, path: Path
) -> None:
    """Draw a grid of the first images with their labels.

    Parameters
    ----------
    images : ndarray, shape (N, height, width)
        From 0, black, to the largest value, white; drawn dark on light.
    labels : ndarray of int, shape (N,)
    rows, columns : int
    path : pathlib.Path
        The PNG to write.
    """
    with mpl.rc_context(STYLE):
        figure = new_figure(0.8 * columns, 0.95 * rows)
        panels = figure.subplots(rows, columns, squeeze=False)
        for panel, image, label in zip(panels.flat, images, labels, strict=False):
            panel.imshow(image, cmap="gray_r")
            panel.set_title(str(label), size=9, loc="center")
        for panel in panels.flat:
            panel.axis("off")
        save(figure, path)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of that size in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)  # no display, no state shared between pictures
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure to a PNG without a date or a version in it."""
    figure.savefig(path, format="png", metadata={"Software": None})
