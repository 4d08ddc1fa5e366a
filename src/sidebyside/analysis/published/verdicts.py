"""Verdicts on published figures: whether they are what one more run of our own might give."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from sidebyside.analysis.intervals import MeanEstimate
from sidebyside.analysis.multiplicity import holm
from sidebyside.analysis.power import ALPHA

REPRODUCED = "reproduced"
# Not reproduced:
BETTER, WORSE, DIFFERS = "published is better", "published is worse", "published differs"


@dataclass(frozen=True)
class FigureVerdict:
    """What runs of a recipe, in each of its readings, say of its published test error.

    Attributes
    ----------
    verdict : str
        "reproduced": shown to be within the tolerance, by a prediction interval that is no wider;
        "published is better" or "worse": shown to differ, whichever reading is true, and to be so
        by all of them; "published differs": from some in one direction, from others in the other;
        "can't tell": none of these.
    nearest : int
        The number of the reading whose mean is nearest.
    p_holm, p_within_holm : float or None
        Of no difference, and of a difference as large as the tolerance, corrected for the readings
        and after Holm for the other recipes. None where no reading has two runs; of no
        difference, where some reading hasn't.
    """

    verdict: str
    nearest: int
    p_holm: float | None
    p_within_holm: float | None


def predictions(
    samples: Sequence[Sequence[float]], least_variance: float = 0.0
) -> list[MeanEstimate | None]:
    """Return what one more value of each sample would be, None for samples of fewer than two.

    The mean with the variance s^2 (1 + 1/n) of one more value about it (Hahn & Meeker 1991,
    "Statistical Intervals", section 4.7); s^2 and its degrees of freedom are moderated by all
    samples, see `moderated_variances`. So a recipe whose few runs agree by
    chance doesn't pass for one without noise.

    Parameters
    ----------
    samples : sequence of sequence of float
        Of one kind: test errors, percent, of several recipes, say.
    least_variance : float
        Of one value, see `sidebyside.analysis.intervals.rounding_variance`.
    """
    several = [values for values in samples if len(values) > 1]
    own = [max(float(np.var(values, ddof=1)), least_variance) for values in several]
    if not own or min(own) <= 0:  # without any noise there is nothing to share
        moderated = zip(own, (len(values) - 1.0 for values in several), strict=True)
    else:
        freedoms = [len(values) - 1 for values in several]
        moderated = zip(*moderated_variances(own, freedoms), strict=True)
    return [_one_more(values, *next(moderated)) if len(values) > 1 else None for values in samples]


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


def _one_more(values: Sequence[float], variance: float, freedom: float) -> MeanEstimate:
    return MeanEstimate(float(np.mean(values)), variance * (1 + 1 / len(values)), freedom)


def judge(
    published: Sequence[float],
    readings: Sequence[Sequence[Sequence[float]]],
    tolerance: float,
    least_variance: float = 0.0,
) -> list[FigureVerdict]:
    """Return a verdict on each published test error.

    A figure differs if it does from every reading of its recipe, whose largest p counts. It is
    reproduced if two one-sided tests show one reading to be within the tolerance of it, at the
    smallest p times the number of readings, as the choice of the reading that fits best is to be
    corrected for; and if the 95 % prediction interval of that reading is no wider than the
    tolerance. Both are corrected after Holm over the recipes. The published run saw the same test
    images, so only the variance over seeds counts.

    Parameters
    ----------
    published : sequence of float
        Test errors, percent.
    readings : sequence of sequence of sequence of float
        For each recipe, each reading and each of its runs, the test error, percent.
    tolerance : float
        Points.
    least_variance : float
        Of a test error, see `sidebyside.analysis.intervals.rounding_variance`.
    """
    flat = iter(predictions([runs for of_recipe in readings for runs in of_recipe], least_variance))
    estimates = [[next(flat) for _ in of_recipe] for of_recipe in readings]
    apart = [
        [_minus(estimate, figure) for estimate in of_recipe if estimate is not None]
        for figure, of_recipe in zip(published, estimates, strict=True)
    ]
    differ = holm(
        [
            max(own.p for own in of_recipe) if len(of_recipe) == len(all_of_it) else None
            for of_recipe, all_of_it in zip(apart, readings, strict=True)
        ]
    )
    within = holm(
        [
            min((len(of_recipe) * own.p_within(tolerance) for own in of_recipe), default=None)
            for of_recipe in apart
        ]
    )
    return [
        _verdict(*of_recipe, tolerance)
        for of_recipe in zip(published, readings, estimates, differ, within, strict=True)
    ]


def _width(estimate: MeanEstimate | None) -> float:
    if estimate is None:
        return math.inf
    low, high = estimate.ends()
    return high - low


def _minus(estimate: MeanEstimate, figure: float) -> MeanEstimate:
    return MeanEstimate(estimate.mean - figure, estimate.variance, estimate.freedom)


def _verdict(
    figure: float,
    readings: Sequence[Sequence[float]],
    estimates: Sequence[MeanEstimate | None],
    p_differs: float | None,
    p_within: float | None,
    tolerance: float,
) -> FigureVerdict:
    means = [float(np.mean(runs)) for runs in readings]
    nearest = min(range(len(means)), key=lambda number: abs(means[number] - figure))
    several = [estimate for estimate in estimates if estimate is not None]
    shown = min(several, key=lambda own: _minus(own, figure).p_within(tolerance), default=None)
    if p_differs is not None and p_differs < ALPHA:
        below = {figure < mean for mean in means}
        verdict = (BETTER if below == {True} else WORSE) if len(below) == 1 else DIFFERS
    elif p_within is not None and p_within < ALPHA and _width(shown) <= tolerance:
        verdict = REPRODUCED
    else:
        verdict = "can't tell"
    return FigureVerdict(verdict, nearest, p_differs, p_within)
