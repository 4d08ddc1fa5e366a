"""Intervals over seeds and over images, in the words of the report."""

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
ROUNDING = 1e-9  # what is left of a difference of equal numbers, in points or not


def interval(values: Sequence[float]) -> dict[str, float | None]:
    """Return mean, standard deviation and a 95 % confidence interval of the mean.

    Student's t with n - 1 degrees of freedom: mean +- t(0.975) * sd / sqrt(n) (Student 1908,
    "The probable error of a mean"). sd, low and high are None for fewer than two values.
    """
    n, mean = len(values), float(np.mean(values))
    if n < 2:
        return {"mean": mean, "sd": None, "low": None, "high": None}
    sd, half = float(np.std(values, ddof=1)), halfwidth(values)
    return {"mean": mean, "sd": sd, "low": mean - half, "high": mean + half}


def halfwidth(values: Sequence[float], n: int | None = None) -> float:
    """Return half the width of `interval`, infinite for fewer than two values.

    With ``n``, what it would be of so many values with the same standard deviation.
    """
    if len(values) < 2:
        return math.inf
    n = n or len(values)
    return _t(n) * float(np.std(values, ddof=1)) / math.sqrt(n)


def prediction_interval(values: Sequence[float]) -> list[float] | None:
    """Return low and high of a 95 % prediction interval for one more value.

    mean +- t(0.975) * sd * sqrt(1 + 1/n), n - 1 degrees of freedom (Hahn & Meeker 1991,
    "Statistical Intervals", section 4.7). None for fewer than two values.
    """
    n = len(values)
    if n < 2:
        return None
    mean, half = float(np.mean(values)), _t(n) * prediction_sd(values)
    return [mean - half, mean + half]


def prediction_sd(values: Sequence[float]) -> float:
    """Return the standard deviation of one more value about the mean: sd * sqrt(1 + 1/n)."""
    return float(np.std(values, ddof=1)) * math.sqrt(1 + 1 / len(values))


def difference(first: Sequence[float], second: Sequence[float]) -> dict[str, float | None]:
    """Return the mean of ``first`` minus that of ``second`` with a 95 % interval.

    Welch's: the variances may differ (Welch 1947, "The generalization of Student's problem").
    """
    mean = float(np.mean(first) - np.mean(second))
    if min(len(first), len(second)) < 2:
        return {"mean": mean, "low": None, "high": None}
    if np.ptp(first) == 0 and np.ptp(second) == 0:
        return {"mean": mean, "low": mean, "high": mean}
    found = stats.ttest_ind(first, second, equal_var=False).confidence_interval(CONFIDENCE)
    return {"mean": mean, "low": float(found.low), "high": float(found.high)}


def _t(n: int) -> float:
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1))
