"""The picture of docs/scaling_simulated.md."""

from pathlib import Path

import matplotlib as mpl
from cluster_findings import Findings, told_time
from cluster_given import HOUR
from cluster_sweeps import BUSY, POLICIES, TOO_LONG
from matplotlib.axes import Axes

from sidebyside.report.pictures.style import BLUE, GREEN, GREY, ORANGE, STYLE, new_figure, save


def draw(found: Findings, path: Path) -> None:
    """Draw ratios by workers, the use of resources, and what losses do."""
    with mpl.rc_context(STYLE):
        figure = new_figure(12, 3.8)
        left, middle, right = figure.subplots(1, 3)
        _draw_ratios(left, found)
        _draw_use(middle, found)
        _draw_losses(right, found)
        save(figure, path)


def _draw_ratios(axes: Axes, found: Findings) -> None:
    looks = {10.0: (ORANGE, "o-"), 300.0: (BLUE, "s-"), HOUR: (GREEN, "^-")}
    for seconds, (colour, mark) in looks.items():
        own = [c for c in found.grid if c[0].run_seconds == seconds and c[0].lifetime is None]
        ratios = [outcome.ratio for _, outcome in own]
        workers = [cluster.workers for cluster, _ in own]
        axes.plot(workers, ratios, mark, color=colour, label=f"runs of {told_time(seconds)}")
    axes.axhline(TOO_LONG, color=GREY, ls="--", lw=1)
    axes.annotate(f"{TOO_LONG:g}", (300, TOO_LONG), (0, 3), textcoords="offset points", color=GREY)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
    axes.yaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    axes.xaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
    axes.set_xlabel("workers")
    axes.set_ylabel("makespan over the ideal")
    axes.set_title("No node dies", size=10)
    axes.legend(frameon=False)


def _draw_use(axes: Axes, found: Findings) -> None:
    own = [
        c
        for c in found.grid
        if c[0].workers == max(g[0].workers for g in found.grid) and c[0].lifetime is None
    ]
    names = {"tracking": "tracking server", "store": "shared store", "driver": "driver"}
    for place, ((name, label), colour) in enumerate(
        zip(names.items(), (BLUE, ORANGE, GREY), strict=True)
    ):
        heights = [100 * getattr(outcome, name) for _, outcome in own]
        places = [number + 0.27 * (place - 1) for number in range(len(own))]
        axes.bar(places, heights, 0.25, color=colour, label=label)
    axes.axhline(100 * BUSY, color=GREY, ls="--", lw=1)
    axes.set_ylim(0, 105)
    axes.set_xticks(range(len(own)), [told_time(cluster.run_seconds) for cluster, _ in own])
    axes.set_xlabel("mean run time, 1 000 workers")
    axes.set_ylabel("used, % of the time")
    axes.set_title("What is busy", size=10)
    axes.grid(axis="x", visible=False)
    axes.legend(frameon=False)


def _draw_losses(axes: Axes, found: Findings) -> None:
    groups = list(dict.fromkeys((own.run_seconds, own.lifetime) for _, own, _ in found.losses))
    short = ("started again once (ours)", "until two without an epoch", "node losses don't count")
    for place, (name, label, colour) in enumerate(
        zip(POLICIES, short, (ORANGE, BLUE, GREEN), strict=True)
    ):
        own = [outcome.ratio for policy, _, outcome in found.losses if policy == name]
        places = [number + 0.27 * (place - 1) for number in range(len(groups))]
        axes.bar(places, own, 0.25, color=colour, label=label)
    axes.axhline(1, color=GREY, lw=1)
    axes.set_ylim(top=1.3 * axes.get_ylim()[1])  # for the legend
    names = [f"runs {told_time(run)},\nnodes {told_time(life)}" for run, life in groups]
    axes.set_xticks(range(len(groups)), names)
    axes.set_ylabel("makespan over the ideal")
    axes.set_title("Nodes die: what counts as a failure", size=10)
    axes.grid(axis="x", visible=False)
    axes.legend(frameon=False, loc="upper left")
