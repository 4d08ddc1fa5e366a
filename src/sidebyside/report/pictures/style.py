"""The look of pictures, and how they are saved: the same bytes for the same data."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe & Ito's palette, told apart with any kind of colour vision.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#6B6B6B"
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


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of that size in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)  # no display, no state shared between pictures
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure to a PNG without a date or a version in it."""
    figure.savefig(path, format="png", metadata={"Software": None})


def log_by_epoch(axes: Axes, numticks: int | None = None, nbins: int = 10) -> None:
    """Give axes whole epochs across and a logarithmic scale with plain numbers up."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5), numticks=numticks))
    axes.yaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
    axes.yaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True, nbins=nbins))


def legend_below(figure: Figure, axes: Axes, columns: int = 3, **options: Any) -> None:
    """Write a legend below the axes, of equal labels only the first."""
    unique: dict[Any, Any] = {}
    for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
        unique.setdefault(label, handle)
    figure.legend(
        unique.values(),
        unique.keys(),
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        **options,
    )
