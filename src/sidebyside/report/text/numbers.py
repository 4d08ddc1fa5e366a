"""Numbers as the reports write them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any


def fixed(value: float | None, digits: int = 2) -> str:
    """Return e.g. "0.59", a dash for none, and never "-0.00"."""
    return "-" if value is None else f"{round(value, digits) + 0.0:.{digits}f}"


def signed(value: float | None, digits: int = 2) -> str:
    """Return e.g. "+0.21", a dash for none, and never "-0.00"."""
    return "-" if value is None else f"{round(value, digits) + 0.0:+.{digits}f}"


def percent_range(ends: Sequence[float] | None, digits: int = 2) -> str:
    """Return e.g. "0.59 to 0.93", a dash for none."""
    return "-" if ends is None else " to ".join(fixed(end, digits) for end in ends)


def ends_text(ends: Mapping[str, Any] | None, text: Callable[[float], str] = fixed) -> str:
    """Return e.g. "0.59 to 0.93" of low and high, a dash where there is no interval."""
    if ends is None or ends["low"] is None or ends["high"] is None:
        return "-"
    return f"{text(ends['low'])} to {text(ends['high'])}"


def signed_interval(low: float | None, high: float | None, digits: int = 2) -> str:
    """Return e.g. " [+0.10, +0.32]", nothing where there is no interval."""
    if low is None or high is None:
        return ""
    return f" [{signed(low, digits)}, {signed(high, digits)}]"


def signed_estimate(entry: Mapping[str, Any] | None, mean: str = "mean", digits: int = 2) -> str:
    """Return e.g. "+0.21 [+0.10, +0.32]" of an entry with its ends, a dash where there is none."""
    if entry is None or entry[mean] is None:
        return "-"
    return signed(entry[mean], digits) + signed_interval(entry["low"], entry["high"], digits)


def spelled(variant: str) -> str:
    """Return a variant's name with places to break the line."""
    return variant.replace(",", ", ") or "the only variant"


def count_text(count: int) -> str:
    """Return e.g. "1 199 882", whose spaces break no line; a comma parts factors in sentences."""
    return f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def p_value(value: float | None) -> str:
    """Return e.g. "0.032", a dash for none; no few seeds show more than "< 0.001"."""
    if value is None:
        return "-"
    if value < 0.001:
        return "< 0.001"
    text = f"{value:.2g}"
    if text == "0.05":  # which side of it it is on
        text = f"{value:.3g}"
        return "< 0.05" if text == "0.05" and value < 0.05 else text
    return text


def seeds_text(n: int) -> str:
    """Return e.g. "5 seeds"."""
    return counted(n, "seed")


def counted(n: int, thing: str) -> str:
    """Return e.g. "1 more seed" or "5 more seeds"."""
    return f"{n} {thing}{'s' * (n != 1)}"
