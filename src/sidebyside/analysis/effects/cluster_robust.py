"""Cluster-robust variances of a linear model's contrasts, for few clusters.

The covariance CR2 with Satterthwaite's degrees of freedom, as if all runs had the same variance
(Bell & McCaffrey 2002, "Bias reduction in standard errors for linear regression with multi-stage
samples"; Pustejovsky & Tipton 2018, "Small-sample methods for cluster-robust variance estimation
and hypothesis testing in fixed effects models", equations 6 and 11). With the hat matrix H of the
model X, a contrast c and B = X (X'X)^-1 c,

    V = sum_g (B_g' A_g e_g)^2,  A_g the root of the Moore-Penrose inverse of (I - H)_gg,
    freedom = (tr Q)^2 / tr(Q^2),  Q = G'G,  G_g = (I - H)_.g A_g B_g.

In a balanced design it is the t interval of the contrast by cluster; with each run a cluster of its
own it is HC2 (MacKinnon & White 1985).
"""

import numpy as np
from numpy.typing import NDArray

from sidebyside.analysis.intervals import ROUNDING

_Array = NDArray[np.float64]


def cr2(
    model: _Array, residuals: _Array, clusters: NDArray[np.intp], contrasts: _Array
) -> tuple[_Array, _Array, _Array]:
    """Return variance and degrees of freedom of contrasts of a model fitted by least squares.

    Parameters
    ----------
    model : ndarray, shape (runs, columns)
        Of full column rank.
    residuals : ndarray, shape (runs,)
    clusters : ndarray of int, shape (runs,)
        Which runs may err together.
    contrasts : ndarray, shape (contrasts, columns)

    Returns
    -------
    variance, freedom : ndarray, shape (contrasts,)
        Not a number for a contrast that rests on what a single cluster alone determines, so that
        nothing shows its variance.
    parts : ndarray, shape (contrasts, clusters, runs)
        The variance is the sum of squares of ``parts @ values``.
    """
    inverse = np.linalg.pinv(model)
    weights = contrasts @ inverse  # B of each contrast: shape (contrasts, runs)
    numbers = np.unique(clusters)
    meat = np.empty((len(contrasts), len(numbers)))
    spread = np.empty((len(contrasts), len(numbers), len(model)))  # G of each contrast
    hidden = np.zeros(len(contrasts))
    for at, number in enumerate(numbers):
        of_cluster = np.flatnonzero(clusters == number)
        maker = -model[of_cluster] @ inverse  # the cluster's rows of I - H
        maker[np.arange(len(of_cluster)), of_cluster] += 1
        root, range_of = _root_of_inverse(maker[:, of_cluster])
        adjusted = weights[:, of_cluster] @ root
        meat[:, at] = adjusted @ residuals[of_cluster]
        spread[:, at] = adjusted @ maker
        unseen = weights[:, of_cluster] - weights[:, of_cluster] @ range_of
        hidden += (unseen**2).sum(axis=1)
    variance = (meat**2).sum(axis=1)
    inner = np.einsum("cgr,chr->cgh", spread, spread)  # Q
    trace, squares = np.trace(inner, axis1=1, axis2=2), (inner**2).sum(axis=(1, 2))
    seen = (hidden <= ROUNDING * (weights**2).sum(axis=1)) & (trace > ROUNDING**2)
    freedom = np.full(len(contrasts), np.nan)
    freedom[seen] = trace[seen] ** 2 / squares[seen]
    return np.where(seen, variance, np.nan), freedom, spread


def _root_of_inverse(block: _Array) -> tuple[_Array, _Array]:
    """Return the root of a block's Moore-Penrose inverse, and the projector on its range."""
    values, vectors = np.linalg.eigh(block)
    kept = vectors[:, values > ROUNDING]
    return kept / np.sqrt(values[values > ROUNDING]) @ kept.T, kept @ kept.T
