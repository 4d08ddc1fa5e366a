"""Which charts a page has, of what it knows."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from altair.utils.schemapi import debug_mode

from sidebyside.report.page.content import Page
from sidebyside.report.page.interactive.charts import (
    Columns,
    Spec,
    interval_chart,
    pair_chart,
)
from sidebyside.report.page.interactive.known import curve_rows, run_rows, variant_rows
from sidebyside.report.page.interactive.lines import curve_chart, parallel_chart
from sidebyside.report.page.style import value_limits

_MOST_CURVES = 24  # variants whose learning curves are drawn
_MOST_SEEDS = 20  # of each
_BESIDE = 36  # letters of a matrix that leaves room for a chart on a phone
_SPREAD = 0.5  # of the room of a level over which its lines are spread


def charts(page: Page) -> dict[str, Spec]:
    """Return the charts of a page, by the place where they are drawn."""
    if len(page.variants) < 2:
        return {}
    with debug_mode(
        False
    ):  # Altair checks each part against its schema, which takes longer than all
        return _charts(page)


def _charts(page: Page) -> dict[str, Spec]:
    rows = variant_rows(page)
    names = {row["number"]: row["name"] for row in rows}
    runs = [run | {"name": names[run["number"]]} for run in run_rows(page)]
    axis = page.scale.axis(page.scale.test)
    drawn = {
        "variants-chart": interval_chart(
            [_flat(page, row) for row in rows], runs, _columns(page), axis, _limits(page, rows)
        ),
        "curves-chart": _curves(page, rows),
        "parallel-chart": _parallel(page, rows, axis),
        "pair-chart": pair_chart(page.scale.differences, page.margin or 0),
    }
    return {place: spec for place, spec in drawn.items() if spec}


def _flat(page: Page, row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as a chart reads it: no lists, and texts for what it tells."""
    seeds, together = row["seeds"] or [None] * 2, row["together"] or [None] * 2
    cells = [str(row["number"]), *page.levels.cells[row["key"]]]
    texts = {
        "over_seeds": page.scale.ends({"low": seeds[0], "high": seeds[1]}),
        "together": page.scale.ends({"low": together[0], "high": together[1]}),
    }
    return {
        **{name: row[name] for name in ("number", "name", "mean", "n")},
        "low": seeds[0],
        "high": seeds[1],
        "low_together": together[0],
        "high_together": together[1],
        **texts,
        **{f"c{number}": cell for number, cell in enumerate(cells)},
    }


def _columns(page: Page) -> Columns:
    """Return the matrix beside the rows: as many of its columns as leave room for a chart."""
    heads = ["", *page.levels.heads]
    of = {page.numbers[own["name"]]: page.levels.cells[own["name"]] for own in page.variants}
    cells = {number: (str(number), *own) for number, own in of.items()}
    widths = accumulate(max(map(len, column)) for column in zip(*cells.values(), strict=True))
    fitting = sum(width <= _BESIDE for width in widths)
    return Columns(heads[:fitting], {number: own[:fitting] for number, own in cells.items()})


def _limits(page: Page, rows: Sequence[dict[str, Any]]) -> tuple[float, float]:
    shown = [value for row in rows for value in page.values[row["key"]]]
    shown += [end for row in rows for end in row["together"] or row["seeds"] or ()]
    return value_limits(shown, page.evidence.metric.low)


def _curves(page: Page, rows: Sequence[dict[str, Any]]) -> Spec | None:
    shown = rows[:_MOST_CURVES]
    runs = [run for row in shown for run in page.evidence.of_variant(row["key"])[:_MOST_SEEDS]]
    curves = curve_rows(page, runs)
    if not curves:
        return None
    known = [images for images in ("validation", "training") if all(images in c for c in curves)]
    variants = [
        {"number": row["number"], "name": row["name"]}
        | {f"f{number}": level for number, level in enumerate(row["levels"])}
        for row in shown
    ]
    return curve_chart(variants, curves, page.levels.heads, known) if known else None


def _parallel(page: Page, rows: Sequence[dict[str, Any]], axis: str) -> Spec | None:
    """Return parallel coordinates of levels, parameters and mean; None of a single factor."""
    if len(page.levels.heads) < 2:
        return None
    lines: list[dict[str, Any]] = []
    labels: list[dict[str, Any]] = []
    order = [*page.levels.heads]
    for number, name in enumerate(page.levels.heads):
        levels = list(dict.fromkeys(row["levels"][number] for row in rows))
        labels += [
            {"axis": name, "place": (place + 0.5) / len(levels), "text": text}
            for place, text in enumerate(levels)
        ]
        for row in rows:
            aside = _SPREAD * (row["number"] / (len(page.numbers) + 1) - 0.5)
            place = (levels.index(row["levels"][number]) + 0.5 + aside) / len(levels)
            lines.append({"axis": name, "place": place} | _told(row))
    for field, name in (("parameters", "parameters"), ("mean", page.scale.mean)):
        values = [row[field] for row in rows]
        low, high = min(values), max(values)
        if low == high:
            continue
        order.append(name)
        for row in rows:
            lines.append({"axis": name, "place": (row[field] - low) / (high - low)} | _told(row))
        written = page.scale.fixed if field == "mean" else _short
        labels += [
            {"axis": name, "place": place, "text": written(value)}
            for place, value in ((0.02, low), (0.98, high))
        ]
    return parallel_chart(lines, labels, order, axis)


def _short(count: float) -> str:
    """Return e.g. "1.20M", "873k" or "1.21k"."""
    if count >= 999_500:
        return f"{count / 1e6:.2f}M"
    return f"{count / 1e3:.3g}k" if count >= 1e3 else f"{count:.0f}"


def _told(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("number", "name", "mean")}
