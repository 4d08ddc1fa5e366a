"""What the choice of a variant by its validation error does to its test error."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sidebyside.analysis.intervals import (
    MeanEstimate,
    mean_estimate,
    new_seeds_and_images,
    rounding_variance,
    satterthwaite,
)
from sidebyside.analysis.power import rows_in_common

_FEWEST = 4  # variants from which to learn how much variants differ

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Candidate:
    """A variant that may be chosen, its runs in the order of their seeds.

    Attributes
    ----------
    name : str
    seeds : list of int
    validation, test : list of float
        Errors of each run, percent.
    wrong : ndarray of bool, shape (runs, images)
        Whether a prediction of a test image is wrong.
    """

    name: str
    seeds: list[int]
    validation: list[float]
    test: list[float]
    wrong: NDArray[np.bool_]


@dataclass(frozen=True)
class Selection:
    """The variant with the lowest mean validation error.

    Attributes
    ----------
    chosen : str
    validation_error, test_error : float
        Means over its seeds, percent.
    seeds_and_images : dict or None
        "low" and "high" of its test error (95 %) for new seeds and images, percent.
    corrected : dict or None
        "mean", "low" and "high" (95 %, over seeds) of its test error corrected for the choice,
        percent: see `corrected_for_choice`. None without two seeds in common.
    bias : float or None
        How much lower than that its own mean is, points.
    lowest_test : str
        The variant with the lowest mean test error, which nobody may choose by.
    lowest_test_error : float
        Percent.
    flattery : float
        How much lower that is, points.
    """

    chosen: str
    validation_error: float
    test_error: float
    seeds_and_images: dict[str, float] | None
    corrected: dict[str, float] | None
    bias: float | None
    lowest_test: str
    lowest_test_error: float
    flattery: float


def select(candidates: Sequence[Candidate]) -> Selection:
    """Return the choice by validation error, and what it costs to believe its own test error."""
    chosen = min(candidates, key=lambda candidate: float(np.mean(candidate.validation)))
    lowest = min(candidates, key=lambda candidate: float(np.mean(candidate.test)))
    error, lowest_error = float(np.mean(chosen.test)), float(np.mean(lowest.test))
    honest = corrected_for_choice(candidates)
    least = rounding_variance(chosen.wrong.shape[1])
    together = new_seeds_and_images(100 * chosen.wrong.astype(float), least_variance=least)
    return Selection(
        chosen=chosen.name,
        validation_error=float(np.mean(chosen.validation)),
        test_error=error,
        seeds_and_images=None if together is None else together.clipped_ends(),
        corrected=None if honest is None else {"mean": honest.mean} | honest.clipped_ends(),
        bias=None if honest is None else honest.mean - error,
        lowest_test=lowest.name,
        lowest_test_error=lowest_error,
        flattery=error - lowest_error,
    )


def corrected_for_choice(candidates: Sequence[Candidate]) -> MeanEstimate | None:
    """Return the test error, percent, of the variant chosen by validation error, bias taken away.

    Whoever is chosen by a low validation error was lucky in part, and as far as a run's luck shows
    on validation and test images alike, its test error flatters. Empirical Bayes: means of
    validation and test error of all variants are draws from a common distribution plus noise, so
    both are drawn towards the mean of all as far as noise explains how they differ (Efron & Morris
    1972, "Empirical Bayes on vector observations"). Such an estimate is the same whatever it was
    chosen by (Dawid 1994, "Selection paradoxes of Bayesian inference"). Its variance is that given
    the variants, plus that of the mean of all over seeds, plus that of estimating how much variants
    differ (Morris 1983, "Parametric empirical Bayes inference", equation 1.16). Of fewer than four
    variants little can be learnt and little is lost: there it is the variant's own mean.

    Parameters
    ----------
    candidates : sequence of Candidate
        No network twice.

    Returns
    -------
    MeanEstimate or None
        None for fewer than two seeds in common.
    """
    seeds = [candidate.seeds for candidate in candidates]
    kinds = [[c.validation for c in candidates], [c.test for c in candidates]]
    errors = np.stack([rows_in_common(kind, seeds) for kind in kinds])
    _, count, n = errors.shape
    chosen = int(errors[0].mean(axis=1).argmin()) if n else 0
    least = rounding_variance(candidates[chosen].wrong.shape[1])
    if n < 2 or count < _FEWEST:
        return mean_estimate(errors[1, chosen].tolist(), least)
    of_all = mean_estimate(errors[1].mean(axis=0).tolist(), least / count)
    assert of_all is not None
    apart, noise = _apart_and_noise(errors)
    # In units of the noise, along the directions in which variants differ independently.
    unit = np.linalg.cholesky(noise + np.diag([max(least, 1e-12) / n] * 2))
    scaled = np.linalg.solve(unit, apart.T)
    ratios, directions = np.linalg.eigh(scaled @ scaled.T / (count - 1))
    kept = np.maximum(1 - 1 / np.maximum(ratios, 1e-12), 0)
    of_test = (unit @ directions)[1]
    along = directions.T @ scaled[:, chosen]
    given_variants = float((of_test**2 * kept).sum()) * (1 - 1 / count)
    unsure = float((of_test * (1 - kept) * along) ** 2 @ np.ones(2)) * 2 / max(count - 3, 1)
    variance = of_all.variance + given_variants + unsure
    parts = [(of_all.variance, of_all.freedom), (given_variants, (count - 1) * (n - 1))]
    freedom = satterthwaite(variance, [*parts, (unsure, count - 1)])
    return MeanEstimate(of_all.mean + float(of_test @ (kept * along)), variance, freedom)


def _apart_and_noise(errors: _Array) -> tuple[_Array, _Array]:
    """Return the variants' means minus the mean of all, and the covariance of their noise.

    Parameters
    ----------
    errors : ndarray, shape (2, variants, seeds)
        Of validation and test.

    Returns
    -------
    apart : ndarray, shape (variants, 2)
    noise : ndarray, shape (2, 2)
        Of a mean over seeds, what a seed does to all variants taken away.
    """
    _, count, n = errors.shape
    means, by_seed = errors.mean(axis=2), errors.mean(axis=1)
    of_all = means.mean(axis=1)
    rest = errors - means[:, :, None] - by_seed[:, None] + of_all[:, None, None]
    noise = np.einsum("akn,bkn->ab", rest, rest) / ((count - 1) * (n - 1)) / n
    return (means - of_all[:, None]).T, noise
