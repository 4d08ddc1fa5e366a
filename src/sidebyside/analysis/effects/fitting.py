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
    """

    known: list[int]
    weights: Array
    variances: Array
    freedoms: Array


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
        return Fit([*range(len(contrasts))], weights, *by_seed_variances(weights, values, seeds))
    model = model_of(codes, seeds)
    rows = [model.row(contrast) for contrast in contrasts]
    known = [number for number, row in enumerate(rows) if row is not None]
    if not known:
        nothing = np.zeros(0)
        return Fit([], np.zeros((0, len(values))), nothing, nothing)
    of_columns = np.array([rows[number] for number in known])
    inverse = np.linalg.pinv(model.matrix)
    residuals = values - model.matrix @ (inverse @ values)
    variances, freedoms = cr2(model.matrix, residuals, model.seeds, of_columns)
    return Fit(known, of_columns @ inverse, variances, freedoms)
