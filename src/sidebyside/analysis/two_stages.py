"""An interval of a width set before: Stein's two stages.

Stein 1945, "A two-sample test for a linear hypothesis whose power is independent of the
variance". The first runs tell how many are needed, N = ceil((t s / h)^2), and nothing else: the
interval mean +- t s / sqrt(N) takes the mean of all runs, but t and s of the first ones. It holds
the truth 95 times in a hundred whatever N is, so also where N is cut short.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from sidebyside.analysis.intervals import CONFIDENCE, MeanEstimate

FIRST = 5  # seeds of the first stage


def seeds_needed(first: Sequence[float], halfwidth: float, least_variance: float = 0.0) -> int:
    """Return how many runs make the interval +-halfwidth points, the first ones among them."""
    variance = max(float(np.var(first, ddof=1)), least_variance)
    t = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(first) - 1))
    return max(len(first), math.ceil(t**2 * variance / halfwidth**2))


def two_stage_estimate(values: Sequence[float], least_variance: float = 0.0) -> MeanEstimate | None:
    """Return the mean of all values with what the first ones say of its error.

    None where the first stage isn't complete.
    """
    if len(values) < FIRST:
        return None
    variance = max(float(np.var(values[:FIRST], ddof=1)), least_variance)
    return MeanEstimate(float(np.mean(values)), variance / len(values), FIRST - 1)


def in_two_stages(stopping: Mapping[str, Any] | None) -> bool:
    """Whether a study with this rule had its seeds added in two stages."""
    return stopping is not None and stopping.get("until") == "narrow"
