"""The charts of lines, as Vega-Lite: learning curves, and variants as parallel coordinates."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import altair as alt

from sidebyside.report.page.interactive.charts import FONT, PADDED, SHOWN, Rows, Spec, finished
from sidebyside.report.page.levels import LINES
from sidebyside.report.page.matrix import width_of
from sidebyside.report.pictures.style import BLUE

_STRONG: Any = {"param": "hovered", "empty": False}
_LOWEST = 0.005  # percent: a logarithm has no 0
_HALF_A_NUMBER = 14  # pixels, its width
_BREAKS = "[_ ]"  # where heads go on in a next line: a phone has little room
_BESIDE = 5  # pixels, from an axis to what is written at it
_WIDEST = 110  # pixels, a text at an axis; what is longer is cut off
_OUTER = 0.35  # distances between axes, left of the first and right of the last


def _hovered() -> alt.Parameter:
    """Return what a line is strong by: the variant that is pointed at."""
    return alt.selection_point(
        name="hovered", fields=["number"], on="pointerover", clear="pointerout"
    )


def curve_chart(
    variants: Rows, curves: Rows, factors: Sequence[str], images: Sequence[str]
) -> Spec:
    """Return learning curves: each seed faintly, the mean of a variant with its band.

    Parameters
    ----------
    variants, curves : sequence of dict
        See `sidebyside.report.page.interactive.known`; levels are called "f0", "f1", ...
    factors : sequence of str
        What lines can be coloured by.
    images : sequence of str
        What errors are known of: "validation", "training".
    """
    base = _by_epoch(variants, curves, len(factors), images)
    colour: Any = alt.value(BLUE)
    if factors:
        colour = alt.Color("level:N", scale=alt.Scale(range=list(LINES)), title=None)
    across = alt.X("epoch:Q", axis=alt.Axis(tickMinStep=1, format="d"), title="epoch")
    scale = alt.Scale(type="log", nice=False)
    told = [
        alt.Tooltip("name:N", title="variant"),
        alt.Tooltip("epoch:Q"),
        alt.Tooltip("seed:N"),
        alt.Tooltip("error:Q", format=".2f", title="error in %"),
        alt.Tooltip("run:N", title="run key"),
    ]
    seeds = base.mark_line(strokeWidth=1, point=alt.OverlayMarkDef(size=12)).encode(
        across,
        alt.Y("shown:Q", scale=scale, title="error in %"),
        colour,
        detail=["number:N", "run:N"],
        tooltip=told,
        opacity=alt.condition(_STRONG, alt.value(0.8), alt.value(0.16)),
    )
    mean = base.transform_aggregate(
        mean="mean(shown)",
        low="min(shown)",
        high="max(shown)",
        groupby=["number", "epoch", "name", "level"],
    )
    band = mean.mark_area().encode(
        across,
        alt.Y("low:Q", scale=scale),
        colour,
        y2="high:Q",
        detail="number:N",
        opacity=alt.condition(_STRONG, alt.value(0.3), alt.value(0.06)),
    )
    line = mean.mark_line(cursor="pointer").encode(
        across,
        alt.Y("mean:Q", scale=scale),
        colour,
        detail="number:N",
        size=alt.condition(_STRONG, alt.value(4), alt.value(2)),
        tooltip=[alt.Tooltip("name:N", title="variant")],
    )
    line = line.properties(name="means").add_params(_hovered())
    chosen = _choices(factors, images)
    return finished(alt.layer(band, seeds, line).add_params(*chosen), height=320)


def _choices(factors: Sequence[str], images: Sequence[str]) -> list[alt.Parameter]:
    """Return what the reader chooses below learning curves."""
    radio = alt.binding_radio(options=list(images), name="images: ")
    params = [alt.param(name="images", value=images[0], bind=radio)]
    if factors:
        places = [f"f{number}" for number in range(len(factors))]
        select = alt.binding_select(options=places, labels=list(factors), name="colour by: ")
        params.append(alt.param(name="factor", value=places[0], bind=select))
    return params


def _by_epoch(variants: Rows, curves: Rows, factors: int, images: Sequence[str]) -> Any:
    """Return a chart of a row for each run and epoch, with the level that lines are coloured by."""
    fields = ["name", *(f"f{number}" for number in range(factors))]
    levels = alt.LookupData(data=alt.Data(values=variants), key="number", fields=fields)
    return (
        alt.Chart(alt.Data(values=curves))
        .transform_filter(SHOWN)
        .transform_flatten(["epoch", *images])
        .transform_fold(list(images), as_=["of", "error"])
        .transform_filter("datum.of == images && datum.error != null")
        .transform_lookup(lookup="number", from_=levels)
        .transform_calculate(level="datum[factor]" if factors else "''")
        .transform_calculate(shown=f"max(datum.error, {_LOWEST})")
    )


def parallel_chart(lines: Rows, labels: Rows, order: Sequence[str], axis: str) -> Spec:
    """Return parallel coordinates: a line a variant through its levels, cost and mean.

    Parameters
    ----------
    lines : sequence of dict
        "number", "name", "mean", "axis" and "place", from 0 to 1, at each axis.
    labels : sequence of dict
        "axis", "place" and "text", what is written at the axes.
    order : sequence of str
        The axes from left to right.
    axis : str
        What is measured.
    """
    ruled = alt.Axis(
        orient="top",
        labelAngle=0,
        labelLimit=_WIDEST,
        labelPadding=18,  # a second line goes down from the first
        labelExpr=f"split(datum.label, /{_BREAKS}/)",
        domain=False,
        ticks=False,
        grid=True,
        gridColor="#bbb",
        gridWidth=1.5,
    )
    between = alt.Scale(type="point", padding=_OUTER)
    across = alt.X("axis:N", sort=list(order), title=None, axis=ruled, scale=between)
    up = alt.Y("place:Q", axis=None, scale=alt.Scale(domain=[0, 1]))
    told = [alt.Tooltip("name:N", title="variant"), alt.Tooltip("mean:N", title=f"mean {axis}")]
    drawn = (
        alt.Chart(alt.Data(values=lines))
        .transform_filter(SHOWN)
        .mark_line(cursor="pointer", interpolate="monotone")
        .encode(
            across, up, detail="number:N", tooltip=told,
            color=alt.Color("mean:Q", scale=alt.Scale(scheme="viridis"), title=f"mean {axis}"),
            size=alt.condition(_STRONG, alt.value(5), alt.value(2)),
            opacity=alt.condition(_STRONG, alt.value(1), alt.value(0.75)),
        )
        .properties(name="lines")
        .add_params(_hovered())
    )  # fmt: skip
    # The first number of the colours' legend is centred below its beginning.
    chart = alt.layer(drawn, *_written(labels, across, up))
    least = {"least_width": _least_width(labels, order)}
    return finished(chart, height=300, padding=_HALF_A_NUMBER, autosize=PADDED, usermeta=least)


def _least_width(labels: Rows, order: Sequence[str]) -> int:
    """Return the pixels that parallel coordinates take if no text touches that of another axis."""
    heads = [max(map(_drawn_width, re.split(_BREAKS, name))) for name in order]
    texts = {str(label["text"]) for label in labels}
    between = (
        *((left + right) / 2 for left, right in pairwise(heads)),
        *(_BESIDE + _drawn_width(text) for text in texts),
    )
    step = max(between) + _BESIDE
    last = max(_drawn_width(str(of["text"])) for of in labels if of["axis"] == order[-1])
    right = max(_OUTER * step, _BESIDE + last)
    return round((len(order) - 1 + _OUTER) * step + right + 2 * _HALF_A_NUMBER)


def _drawn_width(text: str) -> float:
    return min(width_of(text, FONT), _WIDEST)


def _written(labels: Rows, across: alt.X, up: alt.Y) -> list[Any]:
    """Return the layers that write at the axes: white under what is read, lines pass there."""
    base = alt.Chart(alt.Data(values=labels)).encode(across, up, text="text:N")
    letters: dict[str, Any] = {
        "dx": _BESIDE, "align": "left", "fontSize": FONT, "limit": _WIDEST,
    }  # fmt: skip
    halo = base.mark_text(stroke="white", strokeWidth=4, opacity=0.85, **letters)
    return [halo, base.mark_text(**letters)]
