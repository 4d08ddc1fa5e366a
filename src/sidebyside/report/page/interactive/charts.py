"""The charts of rows, as Vega-Lite: what they show without JavaScript is SVG.

Each takes two parameters from the page's script: the numbers of the variants that are ``hidden``
and of those that are ``picked``. Names are given, as Altair would count them up in a process.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from sidebyside.report.page.matrix import width_of
from sidebyside.report.page.style import ZONE, Ends
from sidebyside.report.pictures.style import BLUE, GREY, ORANGE

Rows = Sequence[Mapping[str, Any]]
Spec = dict[str, Any]

FONT = 11  # pixels
_GAP = 8  # pixels, between columns
_LEAST = 11  # pixels, a column: heads would write over each other
_STEP = 19  # pixels, a row
SHOWN = "indexof(hidden, datum.number) < 0"
PADDED = alt.AutoSizeParams(type="fit-x", contains="padding")
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
            max(*(width_of(cell, FONT) for cell in set(column)), _LEAST) + _GAP
            for column in zip(*self.cells.values(), strict=True)
        ]
        return [-sum(widths[number:]) for number in range(len(widths))]


def finished(chart: Any, **properties: Any) -> Spec:
    """Return a chart as Vega-Lite, with the parameters that all have."""
    shared = [alt.param(name="hidden", value=[]), alt.param(name="picked", value=[])]
    configured = (
        chart.add_params(*shared)
        .properties(width="container", **({"autosize": "fit-x"} | properties))
        .configure(font="system-ui, sans-serif")
        .configure_view(stroke=None)
        .configure_axis(labelFontSize=FONT, titleFontSize=FONT + 1, titleFontWeight="normal")
        .configure_legend(
            labelFontSize=FONT, titleFontSize=FONT, orient="bottom", columns=4, symbolOpacity=1
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
    base = alt.Chart(alt.Data(values=rows)).transform_filter(SHOWN)
    layers: list[Any] = [
        base.mark_rule(strokeWidth=_STEP - 2, color="#fff3b0").transform_filter(_PICKED)
        .encode(y=up, x=alt.value(columns.places[0]), x2=alt.value("width")),
        base.mark_rule(strokeWidth=7, color=BLUE, opacity=0.35, clip=True)
        .encode(alt.X("low:Q", scale=across, title=axis), up, x2="high:Q", tooltip=told),
        base.mark_rule(strokeWidth=1.2, color="black", clip=True, yOffset=5)
        .encode(alt.X("low_together:Q"), up, x2="high_together:Q", tooltip=told),
        alt.Chart(alt.Data(values=runs)).transform_filter(SHOWN)
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
    return finished(alt.layer(*layers), height=alt.Step(_STEP), padding=4, autosize=PADDED)


def _matrix(base: Any, columns: Columns, up: alt.Y) -> list[Any]:
    """Return the layers that write a matrix left of the rows, and heads above it."""
    layers = []
    for number, (place, head) in enumerate(zip(columns.places, columns.heads, strict=True)):
        cell: dict[str, Any] = {"align": "left", "fontSize": FONT, "cursor": "pointer"}
        layers.append(
            base.mark_text(**cell).encode(
                x=alt.value(place), y=up, text=f"c{number}:N", tooltip="name:N"
            )
        )
        if head:
            one = alt.Chart(alt.Data(values=[{"head": head}]))
            leaning: dict[str, Any] = {
                "angle": 310,
                "align": "left",
                "fontSize": FONT,
                "color": "#555",
            }
            layers.append(
                one.mark_text(**leaning).encode(
                    x=alt.value(place + 4), y=alt.value(-6), text="head:N"
                )
            )
    return layers


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
    return finished(alt.layer(*layers), height=44)
