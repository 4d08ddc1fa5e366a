"""What a study with so many seeds can show, and how many seeds a difference needs."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from sidebyside.analysis.intervals import CONFIDENCE, ROUNDING
from sidebyside.analysis.resampled.correction import overlap, whole

POWER = 0.8  # the chance to show a difference that is there
ALPHA = 0.05  # two-sided, after Holm's correction
FEWEST = 3  # pairs for a test: with two, a p value below 0.05 is next to out of reach
_SKEW = 0.89  # of the degrees of freedom; docs/coverage.md has what comes of it
_MOST = 100_000  # nobody asks for more
_MOST_REPETITIONS = 10  # of folds; docs/crossvalidation.md simulates no more
_MOST_MORE = 200  # seeds to add: no one would run more


@dataclass(frozen=True)
class Power:
    """What the seeds of a study can tell of two of its variants, by the test of its verdicts.

    Attributes
    ----------
    sd : float or None
        Standard deviation over seeds of the difference of two variants, points: the root mean
        square over all pairs. None for a single variant or fewer than two common seeds.
    sd_low, sd_high : float or None
        Its 95 % interval.
    n : int
        Seeds that all variants have in common.
    pairs : int
        How many pairs Holm's correction takes account of.
    smallest_difference : float or None
        Shown with 80 % power, points; None where nothing is tested.
    seeds_for : dict of int
        The seeds per variant that a difference (key, points) needs.
    """

    sd: float | None
    sd_low: float | None
    sd_high: float | None
    n: int
    pairs: int
    smallest_difference: float | None
    seeds_for: dict[str, int | None]


def power(
    errors: NDArray[np.float64],
    pairs: int,
    margin: float,
    least_variance: float = 0.0,
    folds: int = 1,
) -> Power:
    """Return the power of the paired t test at the first step of Holm's correction.

    Parameters
    ----------
    errors : ndarray, shape (variants, seeds)
        Test errors, percent, of the seeds that all variants have in common.
    pairs : int
        How many pairs the correction takes account of.
    margin : float
        The largest difference that doesn't matter, points: it and its half are what needed seeds
        are given for.
    least_variance : float
        Of a value, whatever the runs show, as the verdicts take it.
    folds : int
        As in `sidebyside.analysis.intervals.mean_estimate`; the seeds are of whole repetitions.
    """
    n, alpha = errors.shape[1], ALPHA / max(pairs, 1)
    sd, low, high = difference_sd(errors)
    if sd is not None and sd < (least := math.sqrt(2 * least_variance)):
        sd, low, high = least, None, None
    smallest = None if sd is None else smallest_difference(sd, n, alpha, folds)
    asked = (margin, margin / 2)
    return Power(
        sd=sd,
        sd_low=low,
        sd_high=high,
        n=n,
        pairs=pairs,
        smallest_difference=smallest,
        seeds_for={
            f"{points:g}": None if sd is None else pairs_needed(sd, points, alpha, folds)
            for points in asked
        },
    )


def difference_sd(
    errors: NDArray[np.float64],
) -> tuple[float | None, float | None, float | None]:
    """Return the standard deviation over seeds of a difference of two variants, low and high.

    sqrt(2 MS) with MS the residual mean square of variants x seeds, which is the mean over all
    pairs; its 95 % interval is chi-squared's. As variants needn't vary alike, its degrees of
    freedom are reduced by Box's epsilon as Huynh & Feldt (1976, "Estimation of the Box correction
    for degrees of freedom from sample data in randomized block and split-plot designs") estimate
    it; the upper end, which a skewed mixture misses most, takes 89 % of them.

    Parameters
    ----------
    errors : ndarray, shape (variants, seeds)
    """
    variants, n = errors.shape
    if min(variants, n) < 2:
        return None, None, None
    rest = errors - errors.mean(axis=1, keepdims=True) - errors.mean(axis=0) + errors.mean()
    mean_square = float((rest**2).sum()) / ((variants - 1) * (n - 1))
    sd = math.sqrt(2 * mean_square)
    if sd < ROUNDING:
        return 0.0, None, None
    freedom = (variants - 1) * (n - 1) * _epsilon(rest @ rest.T, n)
    tail = (1 - CONFIDENCE) / 2
    freedoms = np.array([freedom, _SKEW * freedom])
    low, high = sd * np.sqrt(freedoms / stats.chi2.ppf([1 - tail, tail], freedoms))
    return sd, float(low), float(high)


def _epsilon(covariance: NDArray[np.float64], n: int) -> float:
    """Return Box's epsilon from n times the covariance of variants, seeds taken away."""
    others = len(covariance) - 1
    biased = float(np.trace(covariance) ** 2 / (covariance**2).sum())  # epsilon times others
    rest = others * (n - 1 - biased)
    if rest < ROUNDING:
        return 1.0
    return min(1.0, max((n * biased - 2) / rest, biased / others))


def smallest_difference(sd: float, n: int, alpha: float = ALPHA, folds: int = 1) -> float | None:
    """Return the mean difference in points that n pairs show by the paired t test.

    With 80 % power, ``sd`` that of a difference (Cohen 1988, "Statistical Power Analysis", section
    2.3.5). None for fewer than three pairs, which aren't tested.
    """
    if n < FEWEST:
        return None
    most = 2.0
    while _reaches(most, n, alpha, folds) < POWER:
        most *= 2

    def beyond(size: float) -> float:
        return _reaches(size, n, alpha, folds) - POWER

    return sd * float(optimize.brentq(beyond, 0, most))


def pairs_needed(sd: float, difference: float, alpha: float = ALPHA, folds: int = 1) -> int | None:
    """Return the number of pairs that show a mean difference by the paired t test.

    As `smallest_difference`; at least 3, and whole repetitions of so many ``folds``. None for no
    difference, over 100 000, or over ten repetitions.
    """
    if abs(difference) < ROUNDING:
        return None
    if sd < ROUNDING:
        return whole(FEWEST, folds)
    most = _MOST if folds == 1 else _MOST_REPETITIONS * folds
    return _fewest(abs(difference) / sd, most, alpha, folds)


def _fewest(size: float, most: int, alpha: float, folds: int) -> int | None:
    """Return the fewest pairs that show a difference of so many sds, None for more than most."""
    if _reaches(size, most, alpha, folds) < POWER:
        return None
    counts = range(FEWEST, most + 1)
    at = bisect_left(counts, True, key=lambda n: _reaches(size, n, alpha, folds) >= POWER)
    return whole(counts[at], folds) if at < len(counts) else None


def more_pairs(difference: float, sd: float, n: int, alpha: float, folds: int = 1) -> int | None:
    """Return how many pairs beyond n would show a mean difference; None for over 200."""
    most = whole(n + _MOST_MORE, folds)
    if sd >= ROUNDING and _reaches(abs(difference) / sd, most, alpha, folds) < POWER:
        return None  # as of most pairs, which one look tells
    needed = pairs_needed(sd, difference, alpha, folds)
    if needed is None or needed - n > _MOST_MORE:
        return None
    return max(folds, needed - n)


def _reaches(size: float, n: int, alpha: float, folds: int) -> float:
    """Return the power for a difference of so many sds: of the noncentral t distribution.

    The chance to show it with the wrong sign is left out, and is nothing where power is 80 %.
    """
    # Not statsmodels' TTestPower, which has no number for it where few pairs meet a small alpha.
    told = size * math.sqrt(n / (1 + n * overlap(folds)))
    return float(stats.nct.sf(stats.t.isf(alpha / 2, n - 1), n - 1, told))


def rows_in_common(
    errors: Sequence[Sequence[float]], seeds: Sequence[Sequence[int]]
) -> NDArray[np.float64]:
    """Return errors by variant and common seed, shape (variants, seeds)."""
    common = [seed for seed in seeds[0] if all(seed in others for others in seeds)]
    return np.array(
        [
            [values[own.index(seed)] for seed in common]
            for values, own in zip(errors, seeds, strict=True)
        ]
    ).reshape(len(errors), len(common))
