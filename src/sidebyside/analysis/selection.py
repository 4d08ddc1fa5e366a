"""What the choice of a variant by its validation images does to what its test images show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sidebyside.analysis.intervals import MeanEstimate, mean_estimate, satterthwaite
from sidebyside.analysis.power import rows_in_common
from sidebyside.config.metrics import ERROR, LOG_LOSS, Metric

_FEWEST = 4  # variants from which to learn how much variants differ

_Array = NDArray[np.float64]
Ends = dict[str, float]  # "low" and "high"


@dataclass(frozen=True)
class Candidate:
    """A variant that may be chosen, its runs in the order of their seeds.

    Attributes
    ----------
    name : str
    seeds : list of int
    validation, test : list of float
        Of each run: what it is chosen by, lower is better, and its value by the metric.
    metric : Metric
    rounding : tuple of float
        The variance that is left in a validation and in a test figure whatever the runs show.
    """

    name: str
    seeds: list[int]
    validation: list[float]
    test: list[float]
    metric: Metric = ERROR
    rounding: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Selection:
    """The variant with the lowest mean validation figure.

    Attributes
    ----------
    chosen : str
    validation, test : float
        Means over its seeds, of what it was chosen by and by the metric.
    seeds_and_images : dict or None
        "low" and "high" of ``test`` (95 %) for new seeds and images.
    corrected : dict or None
        "mean", "low" and "high" (95 %, over seeds) of ``test`` corrected for the choice, None where
        `corrected_for_choice` is.
    bias : float or None
        How much better than that its own mean is.
    best_test : str
        The variant with the best mean on the test images, which nobody may choose by.
    best_test_value : float
    flattery : float or None
        How much better that is than the same corrected for the choice; None where that is.
    metric : Metric
    """

    chosen: str
    validation: float
    test: float
    seeds_and_images: Ends | None
    corrected: dict[str, float] | None
    bias: float | None
    best_test: str
    best_test_value: float
    flattery: float | None
    metric: Metric = ERROR

    def as_json(self) -> dict[str, Any]:
        """Return the entry of ``comparison.json``."""
        figure, value = validation_figure(self.metric), self.metric.name
        return {
            "chosen": self.chosen,
            f"validation_{figure}": self.validation,
            value: self.test,
            "seeds_and_images": self.seeds_and_images,
            "corrected": self.corrected,
            "bias": self.bias,
            "lowest_test": self.best_test,
            f"lowest_{value}": self.best_test_value,
            "flattery": self.flattery,
        }


def validation_figure(metric: Metric) -> Literal["loss", "error"]:
    """Return which figure of the validation images a variant is chosen by.

    Their loss is the log loss; all else that training records of them is their error.
    """
    return "loss" if metric == LOG_LOSS else "error"


def select(candidates: Sequence[Candidate], of_new: Mapping[str, Ends | None]) -> Selection:
    """Return the choice by validation figure, and what it costs to believe its own test figure.

    Parameters
    ----------
    candidates : sequence of Candidate
        No network twice.
    of_new : dict
        The 95 % interval of each for new seeds and images, None where there is none.
    """
    metric = candidates[0].metric
    validation = [float(np.mean(candidate.validation)) for candidate in candidates]
    at = validation.index(min(validation))
    chosen = candidates[at]
    tested = [float(np.mean(candidate.test)) for candidate in candidates]
    best = min(range(len(tested)), key=lambda number: metric.rank(tested[number]))
    value, best_value = tested[at], tested[best]
    honest, of_best = (corrected_for_choice(candidates, number) for number in (at, best))
    bounds = metric.bounds
    return Selection(
        chosen=chosen.name,
        validation=float(np.mean(chosen.validation)),
        test=value,
        seeds_and_images=of_new[chosen.name],
        corrected=None
        if honest is None
        else {"mean": honest.mean} | honest.clipped_ends(bounds=bounds),
        bias=None if honest is None else metric.rank(honest.mean - value),
        best_test=candidates[best].name,
        best_test_value=best_value,
        flattery=None if of_best is None else metric.rank(of_best.mean - best_value),
        metric=metric,
    )


def corrected_for_choice(candidates: Sequence[Candidate], chosen: int) -> MeanEstimate | None:
    """Return the test value of the variant chosen by its validation figure, bias taken away.

    Whoever is chosen by a low validation error, or loss, was lucky in part, and as far as a run's
    luck shows on validation and test images alike, its test figure flatters. Empirical Bayes: means
    of validation and test figures of all variants are draws from a common distribution plus noise,
    so both are drawn towards the mean of all as far as noise explains how they differ (Efron &
    Morris 1972, "Empirical Bayes on vector observations"). Such an estimate is the same whatever it
    was chosen by (Dawid 1994, "Selection paradoxes of Bayesian inference"). Its variance is that
    given the variants, plus that of the mean of all over seeds, plus that of estimating how much
    variants differ (Morris 1983, "Parametric empirical Bayes inference", equation 1.16).

    Parameters
    ----------
    candidates : sequence of Candidate
        No network twice.
    chosen : int
        The number of the one that was chosen, by all of its seeds.

    Returns
    -------
    MeanEstimate or None
        None for fewer than two seeds or four variants, of which too little can be learnt, and
        where variants have other seeds than each other.
    """
    seeds = [candidate.seeds for candidate in candidates]
    if len(seeds) < _FEWEST or any(set(own) != set(seeds[0]) for own in seeds):
        return None
    kinds = [[c.validation for c in candidates], [c.test for c in candidates]]
    errors = np.stack([rows_in_common(kind, seeds) for kind in kinds])
    _, count, n = errors.shape
    least_validation, least = candidates[chosen].rounding
    of_all = mean_estimate(errors[1].mean(axis=0).tolist(), least / count)
    if of_all is None:
        return None
    apart, noise = _apart_and_noise(errors)
    # In units of the noise, along the directions in which variants differ independently.
    floor = [max(own, 1e-12) / n for own in (least_validation, least)]
    unit = np.linalg.cholesky(noise + np.diag(floor))
    scaled = np.linalg.solve(unit, apart.T)
    ratios, directions = np.linalg.eigh(scaled @ scaled.T / (count - 1))
    kept = np.maximum(1 - 1 / np.maximum(ratios, 1e-12), 0)
    of_test = (unit @ directions)[1]
    along = directions.T @ scaled[:, chosen]
    given_variants = float((of_test**2 * kept).sum()) * (1 - 1 / count)
    unsure = float((of_test * (1 - kept) * along) ** 2 @ np.ones(2)) * 2 / max(count - 3, 1)
    mean = of_all.mean + float(of_test @ (kept * along))
    variance = of_all.variance + given_variants + unsure
    if not variance:  # all runs of all variants have one value
        return MeanEstimate(mean, 0.0, of_all.freedom)
    parts = [(of_all.variance, of_all.freedom), (given_variants, (count - 1) * (n - 1))]
    freedom = satterthwaite(variance, [*parts, (unsure, count - 1)])
    return MeanEstimate(mean, variance, freedom)


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
