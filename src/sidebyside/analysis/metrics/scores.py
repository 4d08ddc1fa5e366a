"""What networks' probabilities are worth by each metric: a score per image, and a run's value."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidebyside.analysis.intervals import rounding_variance
from sidebyside.analysis.metrics.own import own_scores
from sidebyside.config.metrics import (
    BALANCED_ERROR,
    BRIER,
    CALIBRATION_ERROR,
    ERROR,
    LOG_LOSS,
    Metric,
    top_k_error,
)
from sidebyside.errors import UserError

_SMALLEST = 1e-7  # as Keras clips probabilities before it takes their logarithm
WORST_LOSS = -math.log(_SMALLEST)  # of an image, nats
_BINS = 15  # of certainty, as Guo et al. have them
_DECIMALS = 9  # of a run's value
_TOP = (2, 5)  # how many classes a network may name, in the table of other scores

# By image: whether a prediction is wrong (bool), which counts 100 percent, or in the metric's unit.
Scores = NDArray[Any]


def check_metric(metric: Metric, classes: int) -> None:
    """Raise a UserError, before any work, if runs can't be judged by a metric.

    Parameters
    ----------
    metric : Metric
        A function of one's own is imported and tried.
    classes : int
        Of the dataset.
    """
    if metric.top is not None and metric.top >= classes:
        raise UserError(
            f"study.metric={metric.name} won't do for {classes} classes, all of which a network "
            f"might name: choose a number below {classes}."
        )
    if metric.target is not None:
        certain = np.eye(classes, dtype=np.float32)
        doubtful = np.full((classes, classes), 1 / classes, np.float32)
        tried = np.concatenate([certain, doubtful, (certain + doubtful) / 2])
        own_scores(metric, tried, np.tile(np.arange(classes, dtype=np.uint8)[::-1], 3))


def scores_by_image(
    metric: Metric, probabilities: NDArray[np.float32], target: NDArray[np.uint8]
) -> Scores:
    """Return the score of each image, none for a metric that is no mean over images.

    log loss: -ln of the true class' probability, clipped at 1e-7, in nats (Good 1952, "Rational
    decisions"). Brier score: sum over classes of (probability - 1 for the true class, 0 for
    others)^2, from 0 to 2 (Brier 1950, "Verification of forecasts expressed in terms of
    probability"). Top-k error: the true class isn't among the k with the highest probabilities.
    Balanced error: the mean over classes of each class' error (Brodersen et al. 2010, "The balanced
    accuracy and its posterior distribution"), as a mean over images: an image of a class with n_c
    of N images weighs N / (classes n_c).

    A network that diverged has probabilities that are no numbers: it counts as one that is certain
    of a wrong class. By error, its class is the first, as everywhere.

    Parameters
    ----------
    metric : Metric
    probabilities : ndarray of float32, shape (images, classes)
    target : ndarray of uint8, shape (images,)
    """
    if not metric.by_image:
        return np.zeros(0, np.float32)
    if metric == ERROR:
        return probabilities.argmax(axis=1) != target
    probabilities = _numbers(probabilities, target)
    if metric.target is not None:
        return own_scores(metric, probabilities, target).astype(np.float32)
    exact = probabilities.astype(np.float64)
    of_target = exact[np.arange(len(target)), target]
    if metric == LOG_LOSS:
        return (-np.log(np.clip(of_target, _SMALLEST, 1))).astype(np.float32)
    if metric == BRIER:
        return ((exact**2).sum(axis=1) - of_target**2 + (1 - of_target) ** 2).astype(np.float32)
    wrong = _places(probabilities, target) >= (metric.top or 1)
    if metric == BALANCED_ERROR:
        return (wrong * _weights(target)).astype(np.float32)
    return wrong


def value_of_run(
    metric: Metric,
    probabilities: NDArray[np.float32],
    target: NDArray[np.uint8],
    scores: Scores,
) -> float:
    """Return a run's value: the mean of its scores, or what a metric makes of all images.

    Expected calibration error: the images by certainty, 15 bins of equal width; the mean over
    images of how far the share of right answers in its bin is from the mean certainty there
    (Guo et al. 2017, "On calibration of modern neural networks", equation 3), in percent.
    """
    if metric == CALIBRATION_ERROR:
        numbers = _numbers(probabilities, target)
        return round(100 * _calibration_error(numbers, target), _DECIMALS)
    return round(float(in_unit(scores).mean()), _DECIMALS)


def all_values(probabilities: NDArray[np.float32], target: NDArray[np.uint8]) -> dict[str, float]:
    """Return a run's value by each built-in metric that its classes allow, by metric's name."""
    tops = [top_k_error(k) for k in _TOP if k < probabilities.shape[1]]
    metrics = [ERROR, LOG_LOSS, BRIER, *tops, BALANCED_ERROR, CALIBRATION_ERROR]
    return {
        metric.name: value_of_run(
            metric, probabilities, target, scores_by_image(metric, probabilities, target)
        )
        for metric in metrics
    }


def is_counted(scores: Scores) -> bool:
    """Whether images are right or wrong, and not more or less."""
    return bool(scores.dtype == np.bool_)


def unit_of(scores: Scores) -> float:
    """Return what a score of 1 is in the metric's unit: a wrong prediction counts 100 percent."""
    return 100.0 if is_counted(scores) else 1.0


def in_unit(scores: Scores) -> NDArray[np.float64]:
    """Return scores in the metric's unit."""
    return unit_of(scores) * scores.astype(np.float64)


def mean_without(
    metric: Metric, scores: Scores, target: NDArray[np.uint8], left_out: Sequence[int]
) -> float:
    """Return the mean over runs of what they are worth on all but some of the images.

    Of the balanced error those that are left weigh as if there had been no others.

    Parameters
    ----------
    metric : Metric
        A mean over images.
    scores : ndarray, shape (runs, images)
    target : ndarray of uint8, shape (images,)
    left_out : sequence of int
    """
    kept = np.ones(len(target), bool)
    kept[list(left_out)] = False
    of_kept = scores[:, kept]
    if metric == BALANCED_ERROR:
        of_kept = (of_kept > 0) * _weights(target[kept])
    return unit_of(scores) * float(of_kept.mean(dtype=float))


def least_variance(metric: Metric, target: NDArray[np.uint8], scores: Sequence[Scores]) -> float:
    """Return the variance that is left in a run's value whatever its runs show.

    A mean over images of scores that take few values moves in steps, and what rounding to a
    multiple of u hides has the variance u^2 / 12, see `rounding_variance`. The step is the least
    distance of two scores over the number of images, so next to nothing for scores such as the log
    loss, which runs don't share by chance. That of the balanced error differs by class: its square
    is the mean over images.
    """
    images = len(target)
    if not metric.by_image:
        return 0.0
    if is_counted(scores[0]):
        return rounding_variance(images)
    if metric == BALANCED_ERROR:
        return float((_weights(target) ** 2).mean()) / images**2 / 12
    apart = np.diff(np.unique(np.concatenate(scores).astype(np.float64)))
    return float(apart.min() / images) ** 2 / 12 if apart.size else 0.0


def _numbers(probabilities: NDArray[np.float32], target: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return probabilities, those that are no numbers as `scores_by_image` counts them."""
    if np.isfinite(probabilities).all():
        return probabilities
    classes = probabilities.shape[1]
    # The true class comes after all others, which are told apart for the sake of top-k errors.
    wrong = np.where(np.arange(classes) == target[:, np.newaxis], 0, _SMALLEST).astype(np.float32)
    wrong[np.arange(len(target)), (target + 1) % classes] = 1 - (classes - 2) * _SMALLEST
    known = np.isfinite(probabilities).all(axis=1, keepdims=True)
    return np.where(known, probabilities, wrong)


def _places(probabilities: NDArray[np.float32], target: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Return how many classes come before the true one; of equal ones those with lower numbers."""
    of_target = probabilities[np.arange(len(target)), target][:, np.newaxis]
    before = np.arange(probabilities.shape[1]) < target[:, np.newaxis]
    ahead = (probabilities > of_target) | ((probabilities == of_target) & before)
    places: NDArray[np.intp] = ahead.sum(axis=1)
    return places


def _weights(target: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return what each wrong image adds to the balanced error, percent times images."""
    present, counts = np.unique(target, return_counts=True)
    of_class = np.zeros(int(present.max()) + 1)
    of_class[present] = 100 * len(target) / (len(present) * counts)
    weights: NDArray[np.float64] = of_class[target]
    return weights


def _calibration_error(probabilities: NDArray[np.float32], target: NDArray[np.uint8]) -> float:
    certainty = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == target
    bins = np.clip(np.ceil(certainty * _BINS).astype(int) - 1, 0, _BINS - 1)
    apart = np.bincount(bins, right - certainty, _BINS)
    return float(np.abs(apart).sum()) / len(target)
