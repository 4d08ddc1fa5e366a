"""Intervals and tests over the test images: what other images might have shown of these runs."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import signal, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from sidebyside.analysis.intervals import CONFIDENCE, PERCENT, mean_over_skewed
from sidebyside.analysis.metrics.scores import Scores, in_unit, is_counted

_RESAMPLES = 10_000
_SEED = 20_240_229  # of the resampling: the same bytes each time
_FEW = 25  # disputed images; below, the normal approximation of McNemar's test is poor


def mean_over_images(
    scores: Scores, bounds: tuple[float, float] = PERCENT
) -> dict[str, float] | None:
    """Return a variant's mean over runs and images with a 95 % interval over images.

    Parameters
    ----------
    scores : ndarray, shape (runs, images)
        Whether predictions are wrong, see `error_over_images`, or in the metric's unit, see
        `sidebyside.analysis.intervals.mean_over_skewed`.
    bounds : tuple of float
        Of what the metric can be.

    Returns
    -------
    dict or None
        None without images, where a metric is no mean over them.
    """
    if not scores.size:
        return None
    if is_counted(scores):
        return error_over_images(scores)
    estimate = mean_over_skewed(in_unit(scores).mean(axis=0))
    return {"mean": estimate.mean} | estimate.clipped_ends(bounds=bounds)


def error_over_images(wrong: NDArray[np.bool_]) -> dict[str, float]:
    """Return a variant's mean error with a 95 % interval over images, in percent.

    Wilson's interval for one run, or where all runs get all images right, or all wrong, as then
    the resamples are all the same (Wilson 1927, "Probable inference"). Else the percentile
    bootstrap over images of the mean over runs (Efron & Tibshirani 1993, "An Introduction to the
    Bootstrap", section 13.3).

    Parameters
    ----------
    wrong : ndarray of bool, shape (runs, images)
    """
    runs, images = wrong.shape
    per_image = wrong.sum(axis=0)
    mean = float(per_image.mean()) / runs
    if runs == 1 or mean in (0, 1):
        return {"mean": 100 * mean} | _wilson(round(mean * images), images)
    low, high = _bootstrap(per_image) / runs
    return {"mean": 100 * mean, "low": 100 * float(low), "high": 100 * float(high)}


def widened(ends: dict[str, float], scores: Scores, confidence: float) -> dict[str, float]:
    """Return an interval for new images that is no narrower than Wilson's where no image varies.

    Runs that get all images right, or all wrong, show no variance over images, though there is one.

    Parameters
    ----------
    ends : dict
        "low" and "high" of the mean of the runs.
    scores : ndarray, shape (runs, images)
    confidence : float
    """
    if not is_counted(scores) or scores.any() != scores.all():
        return ends
    own = _wilson(int(scores[0].sum()), scores.shape[1], confidence)
    return {"low": min(ends["low"], own["low"]), "high": max(ends["high"], own["high"])}


def _wilson(errors: int, images: int, confidence: float = CONFIDENCE) -> dict[str, float]:
    low, high = proportion_confint(errors, images, 1 - confidence, "wilson")
    return {"low": 100 * float(low), "high": 100 * float(high)}


def difference_over_images(a: Scores, b: Scores) -> dict[str, float]:
    """Return the mean of a minus that of b with a 95 % interval over images and p.

    Over images, of each image's difference averaged over runs: image and runs stay together, as in
    Dror et al. (2018, "The hitchhiker's guide to testing statistical significance in NLP"). Of
    errors, in points, by the percentile bootstrap and the two-sided sign-flip permutation test; of
    other scores by the paired t test and its interval, skewness taken into account.

    Parameters
    ----------
    a, b : ndarray, shapes (runs of a, images) and (runs of b, images)
        The same images in the same order; the runs needn't be as many.
    """
    if is_counted(a):
        return _difference_of_errors(a, b)
    estimate = mean_over_skewed(in_unit(a).mean(axis=0) - in_unit(b).mean(axis=0))
    return {"mean": estimate.mean} | estimate.named_ends() | {"p": estimate.p}


def _difference_of_errors(
    wrong_a: NDArray[np.bool_], wrong_b: NDArray[np.bool_]
) -> dict[str, float]:
    runs = len(wrong_a) * len(wrong_b)
    # Whole numbers, so that equal differences are equal: runs times the difference of an image.
    per_image = wrong_a.sum(axis=0) * len(wrong_b) - wrong_b.sum(axis=0) * len(wrong_a)
    low, high = _bootstrap(per_image) / runs
    return {
        "mean": 100 * float(per_image.mean()) / runs,
        "low": 100 * float(low),
        "high": 100 * float(high),
        "p": _sign_flip_p(per_image),
    }


def mcnemar_p(wrong_a: NDArray[np.bool_], wrong_b: NDArray[np.bool_]) -> float:
    """Return the p value of McNemar's test of two runs, each of shape (images,).

    Exact with fewer than 25 disputed images, else the chi-squared approximation with continuity
    correction (McNemar 1947; Edwards 1948), which would make a difference of as many images on
    either side: there p is 1.
    """
    only_a, only_b = int((wrong_a & ~wrong_b).sum()), int((wrong_b & ~wrong_a).sum())
    table = [[int((wrong_a & wrong_b).sum()), only_a], [only_b, int((~wrong_a & ~wrong_b).sum())]]
    exact = only_a + only_b < _FEW
    return float(mcnemar(table, exact=exact, correction=only_a != only_b).pvalue)


def _bootstrap(per_image: NDArray[np.int_]) -> NDArray[np.float64]:
    """Return low and high of the 95 % percentile interval of the mean.

    The images take few values, and only how often each is drawn matters: to draw these counts
    from the multinomial distribution is the same bootstrap as to draw images, and fast.
    """
    values, counts = np.unique(per_image, return_counts=True)
    images = len(per_image)
    drawn = np.random.default_rng(_SEED).multinomial(images, counts / images, _RESAMPLES)
    tail = (1 - CONFIDENCE) / 2
    return np.quantile(drawn @ values / images, [tail, 1 - tail])


def _sign_flip_p(per_image: NDArray[np.int_]) -> float:
    """Return the exact two-sided p value of whole numbers whose signs might be flipped.

    The sum over the m numbers of size v is v times (2 * heads - m) of m coins, so the distribution
    of the whole sum over all 2^images flips is the convolution of one binomial distribution per
    size: what `scipy.stats.permutation_test(permutation_type="samples")` would draw from (Good
    2005, "Permutation, Parametric and Bootstrap Tests of Hypotheses", section 3.2.1).
    """
    sizes, counts = np.unique(np.abs(per_image[per_image != 0]), return_counts=True)
    if not len(sizes):
        return 1.0
    sizes = sizes // math.gcd(*sizes.tolist())
    step = math.gcd(*np.abs(per_image).tolist())
    chance = np.ones(1)  # of each sum from -total to total by 2
    for size, count in zip(sizes, counts, strict=True):
        heads = np.zeros(size * count + 1)
        heads[::size] = stats.binom.pmf(np.arange(count + 1), count, 0.5)
        chance = signal.convolve(chance, heads)
    total = int(sizes @ counts)
    sums = np.arange(-total, total + 1, 2)
    extreme = np.abs(sums) >= abs(int(per_image.sum())) // step
    return float(np.clip(chance[extreme].sum(), 0, 1))
