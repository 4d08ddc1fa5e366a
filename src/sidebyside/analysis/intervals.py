"""Intervals over seeds, and over seeds and images together, in the words of the report."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from sidebyside.analysis.resampled.correction import overlap

CONFIDENCE = 0.95
ROUNDING = 1e-9  # what is left of a difference of equal numbers, in points or not


@dataclass(frozen=True)
class MeanEstimate:
    """An estimate in points with what Student's t needs: its variance and degrees of freedom."""

    mean: float
    variance: float
    freedom: float

    @property
    def error(self) -> float:
        """The standard error, points."""
        return math.sqrt(self.variance)

    @property
    def p(self) -> float:
        """Two-sided, of no difference; 1 where there is neither difference nor variance."""
        if self.error < ROUNDING:
            return 1.0 if abs(self.mean) < ROUNDING else 0.0
        return float(2 * stats.t.sf(abs(self.mean) / self.error, self.freedom))

    def ends(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Return low and high of the interval at this confidence."""
        half = float(stats.t.ppf((1 + confidence) / 2, self.freedom)) * self.error
        return self.mean - half, self.mean + half

    def named_ends(self, confidence: float = CONFIDENCE) -> dict[str, float]:
        """Return low and high of the interval by name."""
        return dict(zip(("low", "high"), self.ends(confidence), strict=True))

    def clipped_ends(self, confidence: float = CONFIDENCE) -> dict[str, float]:
        """Return them without what no error in percent can be: below 0, over 100."""
        ends = self.named_ends(confidence)
        return {name: min(max(end, 0.0), 100.0) for name, end in ends.items()}

    def p_within(self, margin: float) -> float:
        """Return the larger p of two one-sided t tests that the estimate is within +- margin."""
        if self.error < ROUNDING:
            return 0.0 if abs(self.mean) < margin else 1.0
        inside = (margin - abs(self.mean)) / self.error
        return float(stats.t.sf(inside, self.freedom))


def rounding_variance(images: int, errors: int = 1) -> float:
    """Return the variance that counting whole images leaves in a sum of so many test errors.

    A test error is a multiple of 100 / images points, and what rounding to a multiple of u hides
    has the variance u^2 / 12 (Sheppard 1898). So runs that agree by chance never show a difference
    without any doubt. 0 for no images, where errors aren't counts.
    """
    return errors * (100 / images) ** 2 / 12 if images else 0.0


def mean_estimate(
    values: Sequence[float], least_variance: float = 0.0, folds: int = 1
) -> MeanEstimate | None:
    """Return the mean of values, n - 1 degrees of freedom, or None for fewer than two.

    Parameters
    ----------
    values : sequence of float
        Points.
    least_variance : float
        Of one value, points squared: see `rounding_variance`.
    folds : int
        Of the cross-validation that the values are of, see
        `sidebyside.analysis.resampled.correction.overlap`; 1 where they are of none.
    """
    n = len(values)
    if n < 2:
        return None
    variance = max(float(np.var(values, ddof=1)), least_variance)
    return MeanEstimate(float(np.mean(values)), variance / n + variance * overlap(folds), n - 1)


def satterthwaite(variance: float, parts: Sequence[tuple[float, float]]) -> float:
    """Return the degrees of freedom of a variance that is made of parts.

    Satterthwaite 1946, "An approximate distribution of estimates of variance components"; ``parts``
    are variances, each with its own degrees of freedom.
    """
    return variance**2 / sum(part**2 / freedom for part, freedom in parts)


def interval(
    values: Sequence[float],
    least_variance: float = 0.0,
    confidence: float = CONFIDENCE,
    folds: int = 1,
) -> dict[str, float | None]:
    """Return mean, standard deviation and a confidence interval of the mean.

    Student's t with n - 1 degrees of freedom: mean +- t(0.975) * sd / sqrt(n) (Student 1908,
    "The probable error of a mean"). sd, low and high are None for fewer than two values. ``folds``
    as in `mean_estimate`.
    """
    mean = mean_estimate(values, least_variance, folds)
    if mean is None:
        return {"mean": float(np.mean(values)), "sd": None, "low": None, "high": None}
    low, high = mean.ends(confidence)
    return {"mean": mean.mean, "sd": float(np.std(values, ddof=1)), "low": low, "high": high}


def clipped(ends: dict[str, float | None]) -> dict[str, float | None]:
    """Return an interval of an error in percent without what no error can be: below 0, over 100."""
    low, high = ends["low"], ends["high"]
    if low is None or high is None:
        return ends
    return ends | {"low": max(low, 0.0), "high": min(high, 100.0)}


def new_seeds_and_images(
    values: NDArray[np.float64],
    seeds_variance: float | None = None,
    freedom: float | None = None,
    least_variance: float = 0.0,
) -> MeanEstimate | None:
    """Return the mean over seeds and images with the variance that new ones of both would show.

    Seeds and images are crossed random samples: V = s2_seeds / n + s2_images / N - s2_residual /
    (n N), as both of the first two hold the third (Searle, Casella & McCulloch 1992, "Variance
    Components", section 4.3), degrees of freedom after Satterthwaite. Never narrower than the
    interval over seeds alone. The training set stays as it is.

    Parameters
    ----------
    values : ndarray, shape (n, N)
        By seed and image, points: 100 where a prediction is wrong, or a difference of such.
    seeds_variance, freedom : float, optional
        Of the mean over seeds, where another model than that of the rows gives them.
    least_variance : float
        Of one row's mean, see `rounding_variance`.

    Returns
    -------
    MeanEstimate or None
        None for fewer than two seeds or images.
    """
    n, images = values.shape
    if min(n, images) < 2:
        return None
    by_seed, by_image = values.mean(axis=1), values.mean(axis=0)
    mean = float(by_seed.mean())
    rest = values - by_seed[:, np.newaxis] - by_image + mean
    residual = float((rest**2).sum()) / ((n - 1) * (images - 1)) / (n * images)
    if seeds_variance is None:
        seeds_variance = max(float(by_seed.var(ddof=1)), least_variance) / n
    freedom = n - 1 if freedom is None else freedom
    of_images = float(by_image.var(ddof=1)) / images
    # What images alone show is the least that is true, but as a floor it would err upwards: it cuts
    # chance off below and leaves it above. Half the residual under it, simulated studies hold.
    variance = max(seeds_variance + of_images - residual, of_images - residual / 2, 0.0)
    if not variance:
        return MeanEstimate(mean, 0.0, freedom)
    parts = [(seeds_variance, freedom), (of_images, images - 1)]
    parts.append((residual, (n - 1) * (images - 1)))
    over_both = MeanEstimate(mean, variance, satterthwaite(variance, parts))
    # Few seeds say little of their own variance, but Satterthwaite's freedom believes them.
    over_seeds = MeanEstimate(mean, seeds_variance, freedom)
    return max(over_both, over_seeds, key=lambda estimate: estimate.ends()[1])


def difference(
    first: Sequence[float], second: Sequence[float], least_variance: float = 0.0
) -> dict[str, float | None]:
    """Return the mean of ``first`` minus that of ``second`` with a 95 % interval.

    Welch's: the variances may differ (Welch 1947, "The generalization of Student's problem").
    ``least_variance`` is that of one value, see `rounding_variance`.
    """
    a, b = (mean_estimate(values, least_variance) for values in (first, second))
    mean = float(np.mean(first) - np.mean(second))
    if a is None or b is None:
        return {"mean": mean, "low": None, "high": None}
    variance = a.variance + b.variance
    if not variance:
        return {"mean": mean, "low": mean, "high": mean}
    freedom = satterthwaite(variance, [(a.variance, a.freedom), (b.variance, b.freedom)])
    low, high = MeanEstimate(mean, variance, freedom).ends()
    return {"mean": mean, "low": low, "high": high}
