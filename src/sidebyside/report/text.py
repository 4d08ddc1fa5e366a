"""Text of the reports: paragraphs and tables in Markdown."""

from collections.abc import Mapping, Sequence

import pandas as pd


def paragraph(text: str) -> str:
    """Return an indented text as one line."""
    return " ".join(text.split())


def table(rows: Sequence[dict[str, str]]) -> str:
    """Return rows, which all have the same columns, as a Markdown table."""
    markdown: str = pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)
    return markdown


def percent_range(ends: Sequence[float] | None, digits: int = 2) -> str:
    """Return e.g. "0.59 to 0.93", a dash for none."""
    return "-" if ends is None else f"{ends[0]:.{digits}f} to {ends[1]:.{digits}f}"


def ends_text(ends: Mapping[str, float | None] | None) -> str:
    """Return e.g. "0.59 to 0.93" of low and high, a dash where there is no interval."""
    if ends is None or ends["low"] is None or ends["high"] is None:
        return "-"
    return percent_range([ends["low"], ends["high"]])


def signed(value: float) -> str:
    """Return e.g. "+0.21", and never "-0.00"."""
    return f"{round(value, 2) + 0.0:+.2f}"


def signed_interval(low: float | None, high: float | None) -> str:
    """Return e.g. " [+0.10, +0.32]", nothing where there is no interval."""
    return "" if low is None or high is None else f" [{signed(low)}, {signed(high)}]"


def spelled(variant: str) -> str:
    """Return a variant's name with places to break the line."""
    return variant.replace(",", ", ") or "the only variant"


def p_value(value: float | None) -> str:
    """Return e.g. "0.032", a dash for none; no few seeds show more than "< 0.001"."""
    if value is None:
        return "-"
    return "< 0.001" if value < 0.001 else f"{value:.2g}"
