"""Contrasts of a balanced design, without its linear model.

Where each combination of levels was run once with each seed, ordinary least squares estimate a
difference of levels by the difference of their means, and the cluster-robust variance of
`sidebyside.analysis.effects.cluster_robust.cr2` is that of the differences by seed: their t
interval, n - 1 degrees of freedom. So nothing has to be inverted, which of two thousand variants
takes hours.
"""

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from sidebyside.analysis.effects.model import Array, Contrast


def is_balanced(codes: Mapping[str, NDArray[np.intp]], seeds: NDArray[np.intp]) -> bool:
    """Return whether each combination of levels is there once with each seed.

    Parameters
    ----------
    codes : dict of ndarray of int, each shape (runs,)
        The number of each run's level, by factor.
    seeds : ndarray of int, shape (runs,)
    """
    counts = [int(code.max()) + 1 for code in codes.values()] + [int(seeds.max()) + 1]
    if not codes or prod(counts) != len(seeds):
        return False
    places = np.ravel_multi_index((*codes.values(), seeds), counts)
    return bool((np.bincount(places, minlength=len(seeds)) == 1).all())


def weights_of(contrasts: Sequence[Contrast], codes: Mapping[str, NDArray[np.intp]]) -> Array:
    """Return the weight of each run's value in each contrast, shape (contrasts, runs)."""
    runs = len(next(iter(codes.values())))
    weights = np.zeros((len(contrasts), runs))
    for row, contrast in zip(weights, contrasts, strict=True):
        for sign, cell in contrast:
            there = np.logical_and.reduce([codes[name] == level for name, level in cell.items()])
            row[there] += sign / np.count_nonzero(there)
    return weights


def by_seed_variances(
    weights: Array, values: Array, seeds: NDArray[np.intp]
) -> tuple[Array, Array]:
    """Return variance and degrees of freedom of contrasts of a balanced design.

    Not a number for a single seed.

    Parameters
    ----------
    weights : ndarray, shape (contrasts, runs)
    values : ndarray, shape (runs,)
    seeds : ndarray of int, shape (runs,)
    """
    count = int(seeds.max()) + 1
    if count < 2:
        nothing = np.full(len(weights), np.nan)
        return nothing, nothing
    of_seed = (seeds[:, np.newaxis] == np.arange(count)).astype(float)
    differences = count * (weights * values) @ of_seed
    return differences.var(axis=1, ddof=1) / count, np.full(len(weights), count - 1.0)
