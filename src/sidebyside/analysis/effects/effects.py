"""Main effects, interactions and simple effects of the factors, the seed as the cluster.

One linear model of all runs, ordinary least squares: the factors and their interactions in
sum-to-zero coding, so that an effect averages over the other factors, and the seeds as blocks
(Montgomery 2017, "Design and Analysis of Experiments", chapters 4 and 5).

Runs with the same seed share the order of their images and more, so it is the seed that is
replicated, not the run: intervals are those of `sidebyside.analysis.effects.cluster_robust.cr2`
with the seed as the cluster. No number of variants makes up for few seeds, and runs that are
counted twice because they came out the same change nothing.

p values are corrected after Holm: main effects, interactions, and the simple effects of one
difference over the levels of one other factor, each a family of its own.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sidebyside.analysis.effects.contrasts import (
    Names,
    coded,
    interaction_contrasts,
    main_contrasts,
    simple_contrasts,
)
from sidebyside.analysis.effects.estimates import (
    Effects,
    Estimate,
    Interaction,
    MainEffect,
    SimpleEffect,
)
from sidebyside.analysis.effects.fitting import Fit, fit
from sidebyside.analysis.effects.model import Array, Contrast
from sidebyside.analysis.intervals import (
    CONFIDENCE,
    ROUNDING,
    MeanEstimate,
    over_seeds_and_images,
)
from sidebyside.analysis.looks import Looks
from sidebyside.analysis.metrics.scores import Scores, in_unit, is_counted
from sidebyside.analysis.multiplicity import holm
from sidebyside.analysis.resampled.correction import effective
from sidebyside.config.factors import REPLICATE


def effects(
    runs: pd.DataFrame,
    factors: Sequence[str],
    *,
    scores: Scores | None = None,
    least_variance: float = 0.0,
    expected_equal: Sequence[str] = (),
    looks: Looks | None = None,
    folds: int = 1,
) -> Effects:
    """Return main effects, two-way interactions and simple effects with 95 % intervals over seeds.

    Parameters
    ----------
    runs : DataFrame
        A row per run with its level of each factor, ``seed`` (what runs of a cluster share) and
        ``test_value`` by the metric. A column with None among its levels should have dtype object.
    factors : sequence of str
        Those with a single level take no part. The reference is the first level met.
    scores : ndarray, shape (runs, images), optional
        Whether a prediction is wrong, or in the metric's unit: for the intervals over new images
        too.
    least_variance : float
        Of a value, see `sidebyside.analysis.intervals.rounding_variance`.
    expected_equal : sequence of str
        Factors whose levels are tested for equivalence: their main effects aren't tested here, and
        are no part of Holm's family.
    looks : Looks, optional
        Of a study that grew, its runs those of the seeds at a look: p values and intervals over
        seeds are good at each.
    folds : int
        As in `sidebyside.analysis.intervals.mean_estimate`.
    """
    codes, levels = coded(runs, factors)
    seeds, names = pd.factorize(runs[REPLICATE], sort=True)
    confidence = looks.confidence(len(names)) if looks else CONFIDENCE
    families = [main_contrasts(levels), interaction_contrasts(levels), *simple_contrasts(levels)]
    contrasts = [contrast for family in families for _, contrast in family]
    values = runs["test_value"].to_numpy(float)
    found = _estimates(codes, seeds, contrasts, values, scores, least_variance, confidence, folds)
    if looks:
        found = _at_looks(found, looks, codes, seeds, contrasts, values, least_variance)
    estimates = iter(found)
    main, between, *by_level = (
        [(names, next(estimates)) for names, _ in family] for family in families
    )
    interactions = [
        Interaction(**names, estimate=estimate) for names, estimate in _corrected(between, looks)
    ]
    simple = [
        SimpleEffect(**names, estimate=estimate)
        for family in by_level
        for names, estimate in _corrected(family, looks)
    ]
    averages = [
        MainEffect(**names, estimate=estimate)
        for names, estimate in _corrected(main, looks, expected_equal)
    ]
    qualified = [_qualified(effect, interactions, simple) for effect in averages]
    return Effects(qualified, interactions, simple)


def _estimates(
    codes: Mapping[str, NDArray[np.intp]],
    seeds: NDArray[np.intp],
    contrasts: Sequence[Contrast],
    values: Array,
    scores: Scores | None,
    least_variance: float,
    confidence: float,
    folds: int = 1,
) -> list[Estimate]:
    """Return the estimates, not corrected yet, in the order of the contrasts."""
    fitted = fit(codes, seeds, contrasts, values)
    weights = fitted.weights
    variances = np.maximum(fitted.variances, least_variance * (weights**2).sum(axis=1))
    counting = _counting(weights, seeds)
    variances *= [own / effective(own, folds) for own in counting.sum(axis=1).tolist()]
    images = _of_images(fitted, scores)
    estimates = [Estimate()] * len(contrasts)
    for place, number in enumerate(fitted.known):
        difference = MeanEstimate(
            float(weights[place] @ values), float(variances[place]), float(fitted.freedoms[place])
        )
        estimate = _estimate(difference, images[place], int(counting[place].sum()), confidence)
        estimates[number] = replace(estimate, folds=folds)
    return estimates


@dataclass(frozen=True)
class _OfImages:
    """A contrast by image, and the variance of its mean that isn't of seeds or images alone."""

    values: Array
    residual: float
    skewed: bool

    def with_seeds(self, difference: MeanEstimate) -> MeanEstimate:
        """Return an estimate over seeds with the variance that new images have too."""
        freedom = difference.freedom * (len(self.values) - 1)
        residual = self.residual, freedom
        return over_seeds_and_images(difference, self.values, residual, self.skewed)


def _of_images(fitted: Fit, scores: Scores | None) -> list[_OfImages | None]:
    """Return what images say of each contrast that is known, None where there are too few."""
    if scores is None or scores.shape[1] < 2:
        return [None] * len(fitted.known)
    values, residuals = fitted.by_image(in_unit(scores))
    skewed = not is_counted(scores)
    return [
        _OfImages(own, residual, skewed)
        for own, residual in zip(values, residuals.tolist(), strict=True)
    ]


def _at_looks(
    estimates: Sequence[Estimate],
    looks: Looks,
    codes: Mapping[str, NDArray[np.intp]],
    seeds: NDArray[np.intp],
    contrasts: Sequence[Contrast],
    values: Array,
    least_variance: float,
) -> list[Estimate]:
    """Return the estimates of all runs with the p values of all looks so far together."""
    p_values: dict[int, list[float | None]] = {}
    for count in looks.counts:
        if count <= seeds.max() + 1:
            there = seeds < count
            own = {name: code[there] for name, code in codes.items()}
            at_look = _estimates(
                own, seeds[there], contrasts, values[there], None, least_variance, CONFIDENCE
            )
            pairs = zip(at_look, estimates, strict=True)
            p_values[count] = [None if _opposed(*pair) else pair[0].p for pair in pairs]
    together = [
        looks.p(lambda count, own=number: p_values[count][own], estimate.n)  # type: ignore[misc]
        for number, estimate in enumerate(estimates)
    ]
    return [replace(estimate, p=p) for estimate, p in zip(estimates, together, strict=True)]


def _opposed(at_look: Estimate, last: Estimate) -> bool:
    """Whether a look shows the opposite of the last one."""
    return (at_look.difference or 0.0) * (last.difference or 0.0) < 0


def _counting(weights: Array, seeds: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return which seeds have a part in the contrasts: shape (contrasts, seeds)."""
    of_seed = seeds == np.arange(seeds.max() + 1)[:, np.newaxis]
    most = np.array([np.abs(weights[:, own]).max(axis=1) for own in of_seed]).T
    return np.asarray(most > ROUNDING * np.abs(weights).max(axis=1, keepdims=True))


def _estimate(
    difference: MeanEstimate, images: _OfImages | None, seeds: int, confidence: float
) -> Estimate:
    if math.isnan(difference.freedom):
        return Estimate(difference.mean, n=seeds)
    low, high = difference.ends(confidence)
    both = None if images is None else images.with_seeds(difference)
    return Estimate(
        difference=difference.mean,
        low=low,
        high=high,
        standard_error=difference.error,
        degrees_of_freedom=difference.freedom,
        p=difference.p,
        seeds_and_images=None if both is None else both.named_ends(confidence),
        n=seeds,
    )


def _corrected(
    family: Sequence[tuple[Names, Estimate]], looks: Looks | None, untested: Sequence[str] = ()
) -> list[tuple[Names, Estimate]]:
    """Return a family of estimates with Holm's p values; of one test at looks, that of them."""
    tested = [None if names.get("factor") in untested else estimate.p for names, estimate in family]
    size, p_values = sum(p is not None for p in tested), holm(tested)
    if looks and size == 1:
        p_values = [looks.p_alone(p) for p in p_values]
    return [
        (names, replace(estimate, p_holm=p, family=size))
        for (names, estimate), p in zip(family, p_values, strict=True)
    ]


def _qualified(
    effect: MainEffect, interactions: Sequence[Interaction], simple: Sequence[SimpleEffect]
) -> MainEffect:
    """Return a main effect with the factors by whose levels it isn't what it is on average."""
    factor, level = effect.factor, effect.level
    others = [
        other
        for interaction in interactions
        if interaction.estimate.shown
        and (factor, level) in zip(interaction.factors, interaction.levels, strict=True)
        for other in interaction.factors
        if other != factor
    ]
    by_level = {
        given: [
            _same_way(at_level.estimate, effect.estimate)
            for at_level in simple
            if (at_level.factor, at_level.level, at_level.given) == (factor, level, given)
        ]
        for given in others
    }
    return replace(
        effect, contradicted_by=[name for name, same in by_level.items() if not all(same)]
    )


def _same_way(estimate: Estimate, average: Estimate) -> bool:
    if estimate.difference is None or average.difference is None:
        return False
    return estimate.shown and (estimate.difference > 0) == (average.difference > 0)
