"""Contrasts of the runs' values by least squares, with their cluster-robust variances."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sidebyside.analysis.effects.balanced import by_seed_variances, is_balanced, weights_of
from sidebyside.analysis.effects.cluster_robust import cr2
from sidebyside.analysis.effects.model import MOST, Array, Contrast, cells_of, model_of


@dataclass(frozen=True)
class Fit:
    """Those contrasts that the design can tell.

    Attributes
    ----------
    known : list of int
        Their places among all.
    weights : ndarray, shape (known, runs)
        Of each run's value.
    variances, freedoms : ndarray, shape (known,)
    seeds : ndarray of int, shape (runs,)
    parts : ndarray, shape (known, seeds, runs), or None
        What each seed has a part in a variance by: it is the sum of squares of ``parts @ values``.
        None for a balanced design, where that follows from the weights.
    """

    known: list[int]
    weights: Array
    variances: Array
    freedoms: Array
    seeds: NDArray[np.intp]
    parts: Array | None = None

    def by_image(self, scores: Array) -> tuple[Array, Array]:
        """Return what each image estimates, and the variance that isn't of seeds or images alone.

        The latter is the contrasts' variance over seeds of an image, averaged over images, without
        what all images have in common.

        Parameters
        ----------
        scores : ndarray, shape (runs, images)

        Returns
        -------
        by_image : ndarray, shape (known, images)
        residual : ndarray, shape (known,)
            Of the mean over images.
        """
        images, by_image = scores.shape[1], self.weights @ scores
        apart = self._apart(scores, by_image)
        apart -= apart.mean(axis=2, keepdims=True)
        return by_image, (apart**2).sum(axis=(1, 2)) / (images - 1) / images

    def _apart(self, scores: Array, by_image: Array) -> Array:
        """Return each seed's part in the variance, by image: shape (known, seeds, images)."""
        if self.parts is not None:
            return np.asarray(self.parts @ scores)
        count = int(self.seeds.max()) + 1
        own = [self.seeds == seed for seed in range(count)]
        of_seeds = [self.weights[:, there] @ scores[there] for there in own]
        apart = count * np.stack(of_seeds, axis=1) - by_image[:, np.newaxis]
        return np.asarray(apart / (count * max(count - 1, 1)) ** 0.5)


def fit(
    codes: Mapping[str, NDArray[np.intp]],
    seeds: NDArray[np.intp],
    contrasts: Sequence[Contrast],
    values: Array,
) -> Fit:
    """Return contrasts with the seed as the cluster.

    Parameters
    ----------
    codes : dict of ndarray of int, each shape (runs,)
        The number of each run's level, by factor.
    seeds : ndarray of int, shape (runs,)
    contrasts : sequence of Contrast
    values : ndarray, shape (runs,)
    """
    if codes and cells_of(codes).max() >= MOST and is_balanced(codes, seeds):
        weights = weights_of(contrasts, codes)
        found = by_seed_variances(weights, values, seeds)
        return Fit([*range(len(contrasts))], weights, *found, seeds)
    model = model_of(codes, seeds)
    rows = [model.row(contrast) for contrast in contrasts]
    known = [number for number, row in enumerate(rows) if row is not None]
    if not known:
        nothing = np.zeros(0)
        return Fit([], np.zeros((0, len(values))), nothing, nothing, seeds)
    of_columns = np.array([rows[number] for number in known])
    inverse = np.linalg.pinv(model.matrix)
    residuals = values - model.matrix @ (inverse @ values)
    variances, freedoms, parts = cr2(model.matrix, residuals, model.seeds, of_columns)
    return Fit(known, of_columns @ inverse, variances, freedoms, seeds, parts)
