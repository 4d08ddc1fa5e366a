"""The charts of a page that answers, as Vega-Lite: what they show without JavaScript is SVG.

Each takes two parameters from the page's script: the numbers of the variants that are ``hidden``
and of those that are ``picked``. Names are given, as Altair would count them up in a process.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from sidebyside.report.page.levels import LINES
from sidebyside.report.page.style import ZONE, Ends
from sidebyside.report.pictures.style import BLUE, GREY, ORANGE

Rows = Sequence[Mapping[str, Any]]
Spec = dict[str, Any]

_FONT = 11  # pixels
_LETTER = 6.1  # pixels, the width of most letters
_GAP = 8  # pixels, between columns
_LEAST = 11  # pixels, a column: heads would write over each other
_STEP = 19  # pixels, a row
_SHOWN = "indexof(hidden, datum.number) < 0"
_PICKED = "indexof(picked, datum.number) >= 0"


@dataclass(frozen=True)
class Columns:
    """The matrix beside the rows of a chart: heads of columns, and cells by variant's number."""

    heads: Sequence[str]
    cells: Mapping[int, Sequence[str]]

    @property
    def places(self) -> list[float]:
        """Where each column begins, in pixels left of the chart."""
        widths = [
            max(_LETTER * max(map(len, column)), _LEAST) + _GAP
            for column in zip(*self.cells.values(), strict=True)
        ]
        return [-sum(widths[number:]) for number in range(len(widths))]


def _finished(chart: Any, **properties: Any) -> Spec:
    """Return a chart as Vega-Lite, with the parameters that all have."""
    shared = [alt.param(name="hidden", value=[]), alt.param(name="picked", value=[])]
    configured = (
        chart.add_params(*shared)
        .properties(width="container", **({"autosize": "fit-x"} | properties))
        .configure(font="system-ui, sans-serif")
        .configure_view(stroke=None)
        .configure_axis(labelFontSize=_FONT, titleFontSize=_FONT + 1, titleFontWeight="normal")
        .configure_legend(
            labelFontSize=_FONT, titleFontSize=_FONT, orient="bottom", columns=4, symbolOpacity=1
        )
    )
    spec: Spec = configured.to_dict()
    return spec


def interval_chart(rows: Rows, runs: Rows, columns: Columns, axis: str, limits: Ends) -> Spec:
    """Return means, intervals and runs of the variants, a row each.

    Parameters
    ----------
    rows, runs : sequence of dict
        See `sidebyside.report.page.interactive.known`.
    columns : Columns
    axis : str
        What is measured.
    limits : tuple of float
        Ends of the axis; what lies beyond is cut off.
    """
    across = alt.Scale(domain=list(limits), zero=False, nice=False)
    up = alt.Y("number:O", axis=None)
    told = [
        alt.Tooltip("name:N", title="variant"),
        alt.Tooltip("mean:N", title=f"mean {axis}"),
        alt.Tooltip("over_seeds:N", title="95 % over seeds"),
        alt.Tooltip("together:N", title="95 %, new seeds and images"),
        alt.Tooltip("n:N", title="seeds"),
    ]
    base = alt.Chart(alt.Data(values=rows)).transform_filter(_SHOWN)
    layers: list[Any] = [
        base.mark_rule(strokeWidth=_STEP - 2, color="#fff3b0").transform_filter(_PICKED)
        .encode(y=up, x=alt.value(columns.places[0]), x2=alt.value("width")),
        base.mark_rule(strokeWidth=7, color=BLUE, opacity=0.35, clip=True)
        .encode(alt.X("low:Q", scale=across, title=axis), up, x2="high:Q", tooltip=told),
        base.mark_rule(strokeWidth=1.2, color="black", clip=True, yOffset=5)
        .encode(alt.X("low_together:Q"), up, x2="high_together:Q", tooltip=told),
        alt.Chart(alt.Data(values=runs)).transform_filter(_SHOWN)
        .mark_circle(size=42, color=ORANGE, opacity=0.8, cursor="pointer")
        .encode(
            x="value:Q",
            y=up,
            tooltip=[
                alt.Tooltip("name:N", title="variant"),
                alt.Tooltip("seed:N"),
                alt.Tooltip("value:N", title=axis),
                alt.Tooltip("run:N", title="run key"),
            ],
        ),
        base.mark_tick(thickness=3, size=15, color=BLUE, cursor="pointer")
        .encode(x="mean:Q", y=up, tooltip=told),
        *_matrix(base, columns, up),
    ]  # fmt: skip
    fit = alt.AutoSizeParams(type="fit-x", contains="padding")
    return _finished(alt.layer(*layers), height=alt.Step(_STEP), padding=4, autosize=fit)


def _matrix(base: Any, columns: Columns, up: alt.Y) -> list[Any]:
    """Return the layers that write a matrix left of the rows, and heads above it."""
    layers = []
    for number, (place, head) in enumerate(zip(columns.places, columns.heads, strict=True)):
        cell = {"align": "left", "fontSize": _FONT, "cursor": "pointer"}
        layers.append(
            base.mark_text(**cell).encode(
                x=alt.value(place), y=up, text=f"c{number}:N", tooltip="name:N"
            )
        )
        if head:
            one = alt.Chart(alt.Data(values=[{"head": head}]))
            leaning = {"angle": 310, "align": "left", "fontSize": _FONT, "color": "#555"}
            layers.append(
                one.mark_text(**leaning).encode(
                    x=alt.value(place + 4), y=alt.value(-6), text="head:N"
                )
            )
    return layers


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
    fields = [f"f{number}" for number in range(len(factors))]
    names = [f"{number}" for number in range(len(factors))]
    params = [
        alt.param(
            name="images",
            value=images[0],
            bind=alt.binding_radio(options=list(images), name="images: "),
        )
    ]
    colour: Any = alt.value(BLUE)
    if factors:
        choice = alt.binding_select(options=names, labels=list(factors), name="colour by: ")
        params.append(alt.param(name="factor", value=names[0], bind=choice))
        colour = alt.Color("level:N", scale=alt.Scale(range=list(LINES)), title=None)
    hovered = alt.selection_point(
        name="hovered", fields=["number"], on="pointerover", clear="pointerout", nearest=False
    )
    levels = alt.LookupData(data=alt.Data(values=variants), key="number", fields=["name", *fields])
    base = (
        alt.Chart(alt.Data(values=curves))
        .transform_filter(_SHOWN)
        .transform_flatten(["epoch", *images])
        .transform_fold(list(images), as_=["of", "error"])
        .transform_filter("datum.of == images && datum.error != null")
        .transform_lookup(lookup="number", from_=levels)
        .transform_calculate(level="datum['f' + factor]" if factors else "''")
        .transform_calculate(shown="max(datum.error, 0.005)")
    )
    axis = alt.X("epoch:Q", axis=alt.Axis(tickMinStep=1, format="d"), title="epoch")
    scale = alt.Scale(type="log", nice=False)
    up = alt.Y("shown:Q", scale=scale, title="error in %")
    told = [alt.Tooltip("name:N", title="variant"), alt.Tooltip("epoch:Q")]
    one = [*told, alt.Tooltip("seed:N"), alt.Tooltip("error:Q", format=".2f"),
           alt.Tooltip("run:N", title="run key")]  # fmt: skip
    strong = {"param": "hovered", "empty": False}
    seeds = base.mark_line(strokeWidth=1, point=alt.OverlayMarkDef(size=12)).encode(
        axis, up, colour, detail=["number:N", "run:N"], tooltip=one,
        opacity=alt.condition(strong, alt.value(0.8), alt.value(0.16)),
    )  # fmt: skip
    group = ["number", "epoch", "name", "level"]
    mean = base.transform_aggregate(
        mean="mean(shown)", low="min(shown)", high="max(shown)", groupby=group
    )
    band = mean.mark_area().encode(
        axis, alt.Y("low:Q", scale=scale), colour, y2="high:Q", detail="number:N",
        opacity=alt.condition(strong, alt.value(0.3), alt.value(0.06)),
    )  # fmt: skip
    line = (
        mean.mark_line(cursor="pointer")
        .encode(
            axis, alt.Y("mean:Q", scale=scale), colour, detail="number:N",
            size=alt.condition(strong, alt.value(4), alt.value(2)),
            tooltip=[alt.Tooltip("name:N", title="variant")],
        )
    )  # fmt: skip
    line = line.properties(name="means").add_params(hovered)
    return _finished(alt.layer(band, seeds, line).add_params(*params), height=320)


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
        labelExpr="split(datum.label, /[_ ]/)",  # a line a word: a phone has little room
        domain=False,
        ticks=False,
        grid=True,
        gridColor="#bbb",
        gridWidth=1.5,
    )
    between = alt.Scale(type="point", padding=0.35)
    across = alt.X("axis:N", sort=list(order), title=None, axis=ruled, scale=between)
    up = alt.Y("place:Q", axis=None, scale=alt.Scale(domain=[0, 1]))
    hovered = alt.selection_point(
        name="hovered", fields=["number"], on="pointerover", clear="pointerout"
    )
    told = [alt.Tooltip("name:N", title="variant"), alt.Tooltip("mean:N", title=f"mean {axis}")]
    strong = {"param": "hovered", "empty": False}
    drawn = (
        alt.Chart(alt.Data(values=lines))
        .transform_filter(_SHOWN)
        .mark_line(cursor="pointer", interpolate="monotone")
        .encode(
            across, up, detail="number:N", tooltip=told,
            color=alt.Color("mean:Q", scale=alt.Scale(scheme="viridis"), title=f"mean {axis}"),
            size=alt.condition(strong, alt.value(5), alt.value(2)),
            opacity=alt.condition(strong, alt.value(1), alt.value(0.75)),
        )
        .properties(name="lines")
        .add_params(hovered)
    )  # fmt: skip
    written = (
        alt.Chart(alt.Data(values=labels))
        .mark_text(dx=5, align="left", fontSize=_FONT, stroke=None)
        .encode(across, up, text="text:N")
    )
    halo = written.mark_text(
        dx=5, align="left", fontSize=_FONT, stroke="white", strokeWidth=4, opacity=0.85
    )
    return _finished(alt.layer(drawn, halo, written), height=300)


def pair_chart(axis: str, margin: float) -> Spec:
    """Return the difference of two variants, of data that the page's script gives it."""
    empty = alt.Data(values=[], name="pair")
    across = alt.Scale(zero=False)
    base = alt.Chart(empty)
    zone = alt.Chart(alt.Data(values=[{"low": -margin, "high": margin}]))
    zero = alt.Chart(alt.Data(values=[{"at": 0}]))
    mean = base.transform_filter("datum.mean != null")
    layers = [
        zone.mark_rect(color=ZONE).encode(alt.X("low:Q", scale=across), x2="high:Q"),
        zero.mark_rule(color="black").encode(x="at:Q"),
        base.mark_rule(strokeWidth=8, color=BLUE, opacity=0.35).encode(
            alt.X("low:Q", title=axis), x2="high:Q", y=alt.value(14)
        ),
        base.mark_rule(strokeWidth=1.4, color="black").encode(
            x="low_together:Q", x2="high_together:Q", y=alt.value(24)
        ),
        base.transform_filter("datum.value != null").mark_circle(size=42, color=GREY).encode(
            x="value:Q", y=alt.value(36), tooltip=["seed:N", alt.Tooltip("value:Q", title=axis)]
        ),
        mean.mark_tick(thickness=3, size=16, color=BLUE).encode(x="mean:Q", y=alt.value(14)),
    ]  # fmt: skip
    return _finished(alt.layer(*layers), height=44)
