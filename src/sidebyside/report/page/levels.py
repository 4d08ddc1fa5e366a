"""Means by the levels of one factor or two."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl

from sidebyside.report.page.style import (
    CHARACTERS,
    PAGE_STYLE,
    Ends,
    labelled_rows,
    svg_text,
    value_limits,
)
from sidebyside.report.pictures.style import BLUE, GREEN, GREY, ORANGE, new_figure

# The rest of Okabe & Ito's palette, for lines beyond the house's four colours.
LINES = (BLUE, ORANGE, GREEN, "#CC79A7", "#000000", "#56B4E9", "#E69F00", GREY)
_MARKERS = "osD^v<>P"
_MOST_ABREAST = 30  # letters of all levels below an axis; more are written aslant


@dataclass(frozen=True)
class Level:
    """A level over ``n`` seeds: mean, ends of its interval, and the mean of each variant."""

    name: str
    n: int
    mean: float
    ends: Ends | None
    variants: Sequence[float]


def level_plots(
    factors: Mapping[str, Sequence[Level]], axis: str, lowest: float | None = 0.0
) -> dict[str, str]:
    """Return a picture per factor, mean by level, all with the same axis.

    Parameters
    ----------
    factors : dict
        The levels of each.
    axis : str
        What is measured, e.g. "test error in %".
    lowest : float or None
        See `sidebyside.report.page.style.value_limits`.
    """
    levels = [level for of_factor in factors.values() for level in of_factor]
    limits = _level_limits(levels, lowest)
    with mpl.rc_context(PAGE_STYLE):
        return {name: _level_plot(own, limits, axis) for name, own in factors.items()}


def _level_limits(levels: Sequence[Level], lowest: float | None) -> Ends:
    return value_limits(
        [value for own in levels for value in (own.mean, *(own.ends or ()), *own.variants)], lowest
    )


def _level_plot(levels: Sequence[Level], limits: Ends, axis: str) -> str:
    labels = [f"{level.name} (n={level.n})" for level in levels]
    figure, axes, places = labelled_rows(labels, 3.0, spare=0.55, characters=CHARACTERS * 3 // 4)
    for level, y in zip(levels, places, strict=True):
        if level.ends:
            axes.plot(level.ends, [y] * 2, color=BLUE, lw=4, alpha=0.35)
        below = [y + 0.09] * len(level.variants)
        axes.plot(level.variants, below, "o", color=GREY, ms=2.5, alpha=0.6)
        axes.plot(level.mean, y, "|", color=BLUE, ms=11, mew=2.2)
    axes.set(xlim=limits, xlabel=axis)
    return svg_text(figure)


def interaction_plots(
    pairs: Sequence[Mapping[str, Sequence[Level]]], axis: str, lowest: float | None = 0.0
) -> list[str]:
    """Return a picture per pair of factors, all with the same axis.

    Parameters
    ----------
    pairs : sequence of dict
        Lines, by level of the one factor: the levels of the other, from left to right.
    axis, lowest
        As of `level_plots`.
    """
    levels = [level for lines in pairs for line in lines.values() for level in line]
    limits = _level_limits(levels, lowest)
    with mpl.rc_context(PAGE_STYLE):
        return [_interaction_plot(lines, limits, axis) for lines in pairs]


def _interaction_plot(lines: Mapping[str, Sequence[Level]], limits: Ends, axis: str) -> str:
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
    axes.set_xticks(range(len(names)), [textwrap.fill(name, 20) for name in names])
    if sum(map(len, names)) > _MOST_ABREAST or len(names) > 3:
        for label in axes.get_xticklabels():
            label.set(rotation=60, ha="right", rotation_mode="anchor")
    axes.set(ylim=limits, xlim=(-0.4, len(names) - 0.6), ylabel=axis)
    figure.legend(loc="outside upper center", ncols=2, frameon=False, handlelength=1.6)
    return svg_text(figure)
