"""Intervals of a growing study, look by look."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl

from sidebyside.report.page.style import PAGE_STYLE, WIDTH, ZONE, svg_text, with_room
from sidebyside.report.pictures.style import new_figure


def look_plots(
    pairs: Mapping[str, Sequence[Mapping[str, Any]]],
    colors: Sequence[str],
    margin: float,
    label: str,
) -> dict[str, str]:
    """Return a picture of each pair's difference and repeated interval at its looks.

    Parameters
    ----------
    pairs : dict
        By label: "seeds", "mean", "low" and "high" of each look.
    colors : sequence of str
        One of each pair.
    margin : float
        Half the width of the zone about 0 that is shaded; 0 for none.
    label : str
        Of the axis.
    """
    all_looks = [look for looks in pairs.values() for look in looks]
    ends = [look[name] for look in all_looks for name in ("low", "high")]
    seeds = sorted({look["seeds"] for look in all_looks})
    limits = with_room([*ends, 0, -margin, margin])
    drawn = {}
    with mpl.rc_context(PAGE_STYLE):
        for (name, looks), color in zip(pairs.items(), colors, strict=True):
            figure = new_figure(WIDTH / 1.6, 2.2)
            axes = figure.subplots()
            if margin:
                axes.axhspan(-margin, margin, color=ZONE, lw=0)
            axes.axhline(0, color="black", lw=0.8)
            for look in looks:
                place = seeds.index(look["seeds"])
                axes.plot([place] * 2, [look["low"], look["high"]], color=color, lw=4, alpha=0.35)
                axes.plot(place, look["mean"], "o", color=color, ms=4)
            axes.set(xlim=(-0.5, len(seeds) - 0.5), ylim=limits)
            axes.set_xticks(range(len(seeds)), [str(count) for count in seeds])
            axes.set(xlabel="seeds at a look", ylabel=label)
            axes.grid(axis="x", visible=False)
            drawn[name] = svg_text(figure)
    return drawn
