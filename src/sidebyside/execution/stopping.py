"""How many seeds to add until each variant's interval is narrow enough."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence

from sidebyside.analysis.intervals import halfwidth


def seeds_to_add(
    errors: Mapping[str, Sequence[float]], target_halfwidth: float, max_seeds: int
) -> dict[str, int]:
    """Return how many seeds to add now to each variant whose interval is still too wide.

    So many as the standard deviation seen so far asks for, but no more than double: it is
    uncertain when seeds are few. Variants that are done aren't named.

    Parameters
    ----------
    errors : dict of sequence of float
        Test errors of each variant's runs, percent.
    target_halfwidth : float
        Of the 95 % interval over seeds, points.
    max_seeds : int
        Of each variant.
    """
    more = {}
    for variant, values in errors.items():
        n = len(values)
        if n >= max_seeds or halfwidth(values) <= target_halfwidth:
            continue
        counts = range(n + 1, min(2 * n, max_seeds) + 1)
        at = bisect_left(
            counts, True, key=lambda count: halfwidth(values, count) <= target_halfwidth
        )
        more[variant] = min(at + 1, len(counts))
    return more
