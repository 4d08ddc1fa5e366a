"""One variance from many: each small sample's own, drawn towards what all of them share."""

import math
from collections.abc import Sequence

import numpy as np
from scipy import optimize, special


def moderated_variances(
    variances: Sequence[float], freedoms: Sequence[int]
) -> tuple[list[float], list[float]]:
    """Return empirical Bayes variances and their degrees of freedom.

    Variances are taken for draws from a scaled inverse chi-squared distribution with d0 degrees of
    freedom, estimated from the variance of their logarithms; the posterior mean is
    (d0 s0^2 + d s^2) / (d0 + d), with d0 + d degrees of freedom, but never more than all samples
    together have (Smyth 2004, "Linear models and empirical Bayes methods for assessing differential
    expression in microarray experiments", sections 4 and 6). For s0^2 it takes the pooled variance,
    not the mean logarithm: a little larger, as few samples tell little of how variances differ.

    Parameters
    ----------
    variances : sequence of float
        Above 0.
    freedoms : sequence of int
        Of each, at least 1.
    """
    own, freedom = np.asarray(variances, float), np.asarray(freedoms, float)
    if len(own) < 2:
        return own.tolist(), freedom.tolist()
    half = freedom / 2
    logs = np.log(own) - special.digamma(half) + np.log(half)
    between = float(logs.var(ddof=1) - special.polygamma(1, half).mean())
    pooled = float(np.average(own, weights=freedom))
    if between <= 0:  # no more spread than chance gives: one variance for all
        return [pooled] * len(own), [float(freedom.sum())] * len(own)
    prior = 2 * _trigamma_inverse(between)
    posterior = (prior * pooled + freedom * own) / (prior + freedom)
    return posterior.tolist(), np.minimum(prior + freedom, freedom.sum()).tolist()


def _trigamma_inverse(value: float) -> float:
    """Return x with trigamma(x) = value > 0: between 1 / value and 1 / value + 1 / sqrt(value)."""
    low, high = 1 / value, 1 / value + 1 / math.sqrt(value)
    return float(
        optimize.brentq(lambda x: float(special.polygamma(1, x)) - value, low, high, xtol=1e-14)
    )
