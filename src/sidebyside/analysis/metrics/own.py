"""Metrics of one's own: a function from probabilities and targets to a score per image."""

import pkgutil
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidebyside import paths
from sidebyside.config.metrics import Metric
from sidebyside.errors import UserError


def own_scores(
    metric: Metric, probabilities: NDArray[np.float32], target: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """Return what a function of one's own gives for each image.

    It is called with all images and with either half of them: what an image scores mustn't depend
    on the others, or nothing could be said about new images.

    Raises
    ------
    UserError
        If there is no such function, it fails, or doesn't give each image a number of its own.
    """
    function = _located(metric)
    scores = _called(function, metric, probabilities, target)
    half = len(target) // 2
    halves = [
        _called(function, metric, probabilities[of], target[of])
        for of in (slice(half), slice(half, None))
    ]
    if not np.allclose(np.concatenate(halves), scores, rtol=1e-6, atol=1e-9):
        raise UserError(
            f"study.metric={metric.chosen}: {metric.target} gives an image another score when it "
            "is called with fewer images: let it score each image by itself, the same each time."
        )
    return scores


def _called(
    function: Callable[..., Any],
    metric: Metric,
    probabilities: NDArray[np.float32],
    target: NDArray[np.uint8],
) -> NDArray[np.float64]:
    try:
        scores = np.asarray(function(probabilities.copy(), target.copy()), np.float64)
    except Exception as error:  # the user's own code
        raise UserError(
            f"study.metric={metric.chosen} can't be computed: {metric.target} says "
            f"{type(error).__name__}: {_first_line(error)}."
        ) from None
    if scores.shape != target.shape:
        raise UserError(
            f"study.metric={metric.chosen}: {metric.target} gives an array of shape {scores.shape} "
            f"for probabilities of shape {probabilities.shape}: one score per image is needed, "
            f"{target.shape}."
        )
    if not np.isfinite(scores).all():
        raise UserError(
            f"study.metric={metric.chosen}: {metric.target} gives scores that aren't finite: let "
            "it clip what it takes a logarithm of, or divides by."
        )
    return scores


def _located(metric: Metric) -> Callable[..., Any]:
    assert metric.target is not None
    root = str(paths.root())
    if root not in sys.path:
        sys.path.insert(0, root)
    try:
        function = pkgutil.resolve_name(metric.target)
    except Exception as error:  # an import runs the user's code
        raise UserError(
            f"study.metric={metric.chosen}: there is no {metric.target} ({type(error).__name__}: "
            f"{_first_line(error)}). _target_ is <module>.<function>, and the module a file beside "
            f"conf/ ({root}) or an installed package."
        ) from None
    if not callable(function):
        raise UserError(
            f"study.metric={metric.chosen}: {metric.target} is no function: name one from "
            "probabilities and targets to a score per image."
        )
    located: Callable[..., Any] = function
    return located


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__
