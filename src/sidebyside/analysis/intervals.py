"""Intervals over seeds, and over seeds and images together, in the words of the report."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from sidebyside.analysis.resampled.correction import overlap

CONFIDENCE = 0.95
PERCENT = (0.0, 100.0)  # what an error can be
ROUNDING = 1e-9  # what is left of a difference of equal numbers, in points or not


@dataclass(frozen=True)
class MeanEstimate:
    """An estimate with what Student's t needs: its variance and degrees of freedom.

    ``skewness`` is that of the estimate itself, where what it is made of is so skewed that the
    interval should know, as a few images have most of a loss. At neither end does the interval stop
    short of that of ``within``, where there is one.
    """

    mean: float
    variance: float
    freedom: float
    skewness: float = 0.0
    within: "MeanEstimate | None" = None

    @property
    def error(self) -> float:
        """The standard error."""
        return math.sqrt(self.variance)

    @property
    def p(self) -> float:
        """Two-sided, of no difference; 1 where there is neither difference nor variance."""
        if self.error < ROUNDING:
            return 1.0 if abs(self.mean) < ROUNDING else 0.0
        return 2 * _tail(abs(self.mean) / self.error, self.freedom)

    def ends(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Return low and high of the interval at this confidence.

        Of a skewed estimate each end is the outer one of Student's t and of Hall's transformation
        of it (Hall 1992, "On the removal of skewness by transformation", J. R. Statist. Soc. B 54,
        221-228). The latter alone is too narrow where a skewness is seen that isn't there.
        """
        t = float(special.stdtrit(self.freedom, (1 + confidence) / 2))
        ends = [(self.mean - t * self.error, self.mean + t * self.error)]
        if abs(self.skewness) >= ROUNDING:
            low, high = (self.mean - self.error * self._without_skewness(end) for end in (t, -t))
            ends.append((low, high))
        if self.within is not None:
            ends.append(self.within.ends(confidence))
        return min(low for low, _ in ends), max(high for _, high in ends)

    def _without_skewness(self, end: float) -> float:
        """Return the x with x + g x^2 / 3 + g^2 x^3 / 27 + g / 6 = end, g the skewness."""
        inner = 1 + self.skewness * (end - self.skewness / 6)
        return 3 / self.skewness * (math.copysign(abs(inner) ** (1 / 3), inner) - 1)

    def named_ends(self, confidence: float = CONFIDENCE) -> dict[str, float]:
        """Return low and high of the interval by name."""
        return dict(zip(("low", "high"), self.ends(confidence), strict=True))

    def clipped_ends(
        self, confidence: float = CONFIDENCE, bounds: tuple[float, float] = PERCENT
    ) -> dict[str, float]:
        """Return them without what lies beyond the bounds of what there can be."""
        (least, most), ends = bounds, self.named_ends(confidence)
        return {name: min(max(end, least), most) for name, end in ends.items()}

    def p_within(self, margin: float) -> float:
        """Return the larger p of two one-sided t tests that the estimate is within +- margin."""
        if self.error < ROUNDING:
            return 0.0 if abs(self.mean) < margin else 1.0
        inside = (margin - abs(self.mean)) / self.error
        return _tail(inside, self.freedom)

    def p_below(self, margin: float) -> float:
        """Return p of the one-sided t test that the estimate is below a margin."""
        if self.error < ROUNDING:
            return 0.0 if self.mean < margin else 1.0
        return _tail((margin - self.mean) / self.error, self.freedom)


def _tail(t: float, freedom: float) -> float:
    """Return the probability of more than this t.

    It is `scipy.stats.t.sf` without its checks, which are most of what many pairs cost.
    """
    return float(special.stdtr(freedom, -t))


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
    least_variance : float
        Of one value: see `rounding_variance`.
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


def clipped(
    ends: dict[str, float | None], bounds: tuple[float, float] = PERCENT
) -> dict[str, float | None]:
    """Return an interval without what lies beyond the bounds of what there can be."""
    low, high = ends["low"], ends["high"]
    if low is None or high is None:
        return ends
    return ends | {"low": max(low, bounds[0]), "high": min(high, bounds[1])}


def new_seeds_and_images(
    values: NDArray[np.float64],
    seeds: MeanEstimate | None = None,
    least_variance: float = 0.0,
    skewed: bool = False,
) -> MeanEstimate | None:
    """Return the mean over seeds and images with the variance that new ones of both would show.

    See `over_seeds_and_images`.

    Parameters
    ----------
    values : ndarray, shape (n, N)
        By seed and image, in the metric's unit: for the error 100 where a prediction is wrong; or
        a difference of such.
    seeds : MeanEstimate, optional
        Over seeds, where another model than that of the rows gives it.
    least_variance : float
        Of one row's mean, see `rounding_variance`.
    skewed : bool
        Whether the interval takes account of how skewed the images' values are.

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
    freedom = (n - 1) * (images - 1)
    residual = float((rest**2).sum()) / freedom / (n * images)
    if seeds is None:
        variance = max(float(by_seed.var(ddof=1)), least_variance) / n
        seeds = MeanEstimate(mean, variance, n - 1)
    return over_seeds_and_images(seeds, by_image, (residual, freedom), skewed)


def over_seeds_and_images(
    seeds: MeanEstimate,
    by_image: NDArray[np.float64],
    residual: tuple[float, float],
    skewed: bool = False,
) -> MeanEstimate:
    """Return an estimate with the variance that new seeds and new images together would show.

    Seeds and images are crossed random samples: V = V_seeds + V_images - V_residual, as both of the
    first two hold the third (Searle, Casella & McCulloch 1992, "Variance Components", section
    4.3), degrees of freedom after Satterthwaite. At neither end does the interval stop short of
    that over seeds alone. The training set stays as it is.

    Parameters
    ----------
    seeds : MeanEstimate
        Over seeds, the images as they are.
    by_image : ndarray, shape (N,)
        What each image alone would estimate.
    residual : tuple of (float, float)
        The variance of the estimate that is neither of seeds nor of images, and its degrees of
        freedom.
    skewed : bool
        Whether the interval takes account of how skewed the images' values are.
    """
    images, (of_both, freedom) = len(by_image), residual
    of_images = float(by_image.var(ddof=1)) / images
    # What images alone show is the least that is true, but as a floor it would err upwards: it cuts
    # chance off below and leaves it above. Half the residual under it, simulated studies hold; a
    # quarter, where a few images have most of the residual.
    least = of_images - of_both / (4 if skewed else 2)
    variance = max(seeds.variance + of_images - of_both, least, 0.0)
    if not variance:
        return MeanEstimate(seeds.mean, 0.0, seeds.freedom, within=seeds)
    parts = [(seeds.variance, seeds.freedom), (of_images, images - 1), (of_both, freedom)]
    # It says nothing where parts nearly cancel: a sum has no fewer than the least of its parts.
    own = max(satterthwaite(variance, parts), min(seeds.freedom, images - 1))
    skewness = _skewness(by_image) * min(1.0, of_images / variance) ** 1.5 if skewed else 0.0
    # Few seeds say little of their own variance, but Satterthwaite's freedom believes them.
    return MeanEstimate(seeds.mean, variance, own, skewness, within=seeds)


def mean_over_skewed(values: NDArray[np.float64]) -> MeanEstimate:
    """Return the mean of values that may be skewed, of images for instance."""
    n = len(values)
    variance = float(values.var(ddof=1)) / n
    return MeanEstimate(float(values.mean()), variance, n - 1, _skewness(values))


def _skewness(values: NDArray[np.float64]) -> float:
    """Return the skewness of the mean of values, 0 for equal ones."""
    apart = values - values.mean()
    sd = float(apart.std(ddof=1))
    return float((apart**3).mean()) / sd**3 / math.sqrt(len(values)) if sd > 0 else 0.0


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
