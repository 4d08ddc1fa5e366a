"""Main effects and two-way interactions of the factors, from one model of all runs."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
from numpy.typing import NDArray
from scipy import stats

from sidebyside.factors import REPLICATE, Level
from sidebyside.intervals import CONFIDENCE, ROUNDING
from sidebyside.multiplicity import holm

ROBUST, CLASSICAL = "HC2", "nonrobust"  # as statsmodels calls them

_ENOUGH_FREEDOM = 4  # below, robust intervals can't be trusted (Tipton 2015)

_Array = NDArray[np.float64]
_Term = tuple[str, ...]  # the factors of a main effect or of an interaction


@dataclass(frozen=True)
class Estimate:
    """A difference of test errors in points, with its 95 % interval and test.

    All are None where the design can't tell the effect from others; low, high, p, p_holm and
    partial_eta_squared also where no freedom is left to judge noise.
    """

    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    partial_eta_squared: float | None = None


@dataclass(frozen=True)
class MainEffect:
    """A level against the reference, averaged over the other factors with equal weights."""

    factor: str
    level: Level
    reference: Level
    estimate: Estimate

    def as_json(self) -> dict[str, Any]:
        """Return the entry of ``comparison.json``."""
        named = {"factor": self.factor, "level": self.level, "reference": self.reference}
        return named | asdict(self.estimate)


@dataclass(frozen=True)
class Interaction:
    """How much the difference by one factor differs between two levels of another."""

    factors: list[str]
    levels: list[Level]
    references: list[Level]
    estimate: Estimate

    def as_json(self) -> dict[str, Any]:
        """Return the entry of ``comparison.json``."""
        named = {"factors": self.factors, "levels": self.levels, "references": self.references}
        return named | asdict(self.estimate)


@dataclass(frozen=True)
class Effects:
    """What the factors of a study do.

    Attributes
    ----------
    main : list of MainEffect
    interactions : list of Interaction
    covariance : str or None
        What the intervals rest on: "HC2" lets each variant have its own variance, "nonrobust"
        takes one variance for all, as too few runs can't show several. None without intervals.
    mixed_model_gap : float or None
        Largest absolute disagreement of a main effect with the mixed model, in points.
    """

    main: list[MainEffect]
    interactions: list[Interaction]
    covariance: str | None
    mixed_model_gap: float | None

    def as_json(self) -> dict[str, Any]:
        """Return what ``comparison.json`` gains."""
        return {
            "main": [one.as_json() for one in self.main],
            "interactions": [one.as_json() for one in self.interactions],
            "mixed_model_gap": self.mixed_model_gap,
        }


@dataclass(frozen=True)
class _Contrast:
    """Levels, one per factor of a term, against the reference levels of the same factors."""

    term: _Term
    levels: list[Level]
    references: list[Level]
    weights: _Array


@dataclass(frozen=True)
class _Design:
    """The model's columns: those of each term that can be estimated, then those of the seeds.

    Attributes
    ----------
    terms : dict of ndarray, each shape (runs, columns of the term)
        The first, ``()``, is the intercept.
    blocks : ndarray, shape (runs, seeds - 1)
    seeds : ndarray of int, shape (runs,)
    errors : ndarray, shape (runs,)
        Test errors, percent.
    """

    terms: dict[_Term, _Array]
    blocks: _Array
    seeds: NDArray[np.intp]
    errors: _Array

    @property
    def columns(self) -> _Array:
        """The whole model matrix, shape (runs, columns)."""
        return np.hstack([*self.terms.values(), self.blocks])

    def without(self, term: _Term) -> _Array:
        """Return the model matrix without the columns of a term."""
        kept = [columns for name, columns in self.terms.items() if name != term]
        return np.hstack([*kept, self.blocks])

    def row(self, contrast: _Contrast) -> _Array:
        """Return a contrast's weights of all columns, shape (columns,)."""
        of_terms = [
            contrast.weights if term == contrast.term else np.zeros(columns.shape[1])
            for term, columns in self.terms.items()
        ]
        return np.concatenate([*of_terms, np.zeros(self.blocks.shape[1])])


def effects(runs: pd.DataFrame, factors: Sequence[str], *, check: bool = True) -> Effects:
    """Return main effects and two-way interactions with 95 % intervals.

    One linear model of all runs, ordinary least squares: the factors and their interactions in
    sum-to-zero coding, so that an effect averages over the other factors, and the seeds as
    blocks, as runs with the same seed may err together (Montgomery 2017, "Design and Analysis of
    Experiments", chapters 4 and 5). Interactions of three and more factors are in the model
    where each variant was run at least twice; else they are all the noise there is.

    Intervals are by Student's t with the HC2 covariance, which needs no equal variances (MacKinnon
    & White 1985), and the freedom of Bell & McCaffrey (2002) as in Imbens & Kolesár (2016,
    "Robust standard errors in small samples"). In a balanced design of two-level factors that is
    the classical interval, where HC3 would be wider by sqrt(1 / (1 - columns / runs)). With
    less than 4 degrees of freedom such intervals can't be trusted (Tipton 2015, "Small sample
    adjustments for robust variance estimation"), and one variance is taken for all variants.

    p values are corrected after Holm, main effects and interactions each in a family of their
    own. Partial eta squared is of the whole factor or interaction: SS / (SS + SS of the residuals)
    (Cohen 1973, "Eta-squared and partial eta-squared in fixed factor ANOVA designs").

    Parameters
    ----------
    runs : DataFrame
        A row per run with its level of each factor, ``seed`` and ``test_error`` (percent). A
        column with None among its levels should have dtype object.
    factors : sequence of str
        Those with a single level take no part. The reference is the first level met.
    check : bool
        Whether to fit the mixed model too, which takes most of the time.
    """
    codes, levels = _coded(runs, factors)
    contrasts = [one for term in _reported(levels) for one in _contrasts(term, levels)]
    seeds = pd.factorize(runs[REPLICATE])[0]
    design = _design(codes, levels, seeds, runs["test_error"].to_numpy(float))
    known = [one for one in contrasts if one.term in design.terms]
    estimates, covariance = _estimates(design, known)
    of_contrast = {id(one): found for one, found in zip(known, estimates, strict=True)}
    found = [(one, of_contrast.get(id(one), Estimate())) for one in contrasts]
    main = _corrected([pair for pair in found if len(pair[0].term) == 1])
    return Effects(
        main=[
            MainEffect(one.term[0], one.levels[0], one.references[0], estimate)
            for one, estimate in main
        ],
        interactions=[
            Interaction(list(one.term), one.levels, one.references, estimate)
            for one, estimate in _corrected([pair for pair in found if len(pair[0].term) == 2])
        ],
        covariance=covariance,
        mixed_model_gap=_mixed_model_gap(design, main) if check else None,
    )


def _coded(
    runs: pd.DataFrame, factors: Sequence[str]
) -> tuple[dict[str, NDArray[np.intp]], dict[str, list[Level]]]:
    """Return the number of each run's level, and the levels, of the factors that vary."""
    codes, levels = {}, {}
    for factor in factors:
        code, met = pd.factorize(runs[factor], use_na_sentinel=False)
        if len(met) > 1:
            codes[factor], levels[factor] = code, [_plain(level) for level in met]
    return codes, levels


def _plain(level: Any) -> Level:
    if pd.isna(level):
        return None
    plain: Level = level.item() if isinstance(level, np.generic) else level
    return plain


def _reported(levels: Iterable[str]) -> list[_Term]:
    names = list(levels)
    return [*combinations(names, 1), *combinations(names, 2)]


def _contrasts(term: _Term, levels: Mapping[str, Sequence[Level]]) -> list[_Contrast]:
    """Return all contrasts of a term's levels with the references.

    The weights of an interaction are the products of those of its factors: the difference of
    differences.
    """
    contrasts = []
    for chosen in product(*(range(1, len(levels[name])) for name in term)):
        weights = np.ones(1)
        for name, number in zip(term, chosen, strict=True):
            coding = _sum_to_zero(len(levels[name]))
            weights = np.kron(weights, coding[number] - coding[0])
        against = [levels[name][number] for name, number in zip(term, chosen, strict=True)]
        contrasts.append(_Contrast(term, against, [levels[name][0] for name in term], weights))
    return contrasts


def _sum_to_zero(count: int) -> _Array:
    """Return the coding of so many levels, shape (count, count - 1)."""
    return np.vstack([np.eye(count - 1), -np.ones(count - 1)])


def _design(
    codes: Mapping[str, NDArray[np.intp]],
    levels: Mapping[str, Sequence[Level]],
    seeds: NDArray[np.intp],
    errors: _Array,
) -> _Design:
    """Return the model, lower orders first: an interaction never hides a main effect."""
    blocks = np.eye(int(seeds.max()) + 1)[seeds][:, 1:]
    terms: dict[_Term, _Array] = {(): np.ones((len(seeds), 1))}
    of_factor = {name: _sum_to_zero(len(levels[name]))[code] for name, code in codes.items()}
    highest = len(codes) if _replicated(codes) else 2
    for order in range(1, min(highest, len(codes)) + 1):
        offered = {term: _products(term, of_factor) for term in combinations(codes, order)}
        terms |= _estimable(offered, [*terms.values(), blocks])
    return _Design(terms, blocks, seeds, errors)


def _replicated(codes: Mapping[str, NDArray[np.intp]]) -> bool:
    if not codes:
        return False
    return bool(np.unique(list(codes.values()), axis=1, return_counts=True)[1].min() > 1)


def _products(term: _Term, of_factor: Mapping[str, _Array]) -> _Array:
    """Return an interaction's columns: all products of columns of its factors."""
    columns = of_factor[term[0]]
    for name in term[1:]:
        columns = np.einsum("ri,rj->rij", columns, of_factor[name]).reshape(len(columns), -1)
    return columns


def _estimable(offered: dict[_Term, _Array], given: Sequence[_Array]) -> dict[_Term, _Array]:
    """Return the terms that the design tells from the given columns and from each other.

    Without such a term the rank would be less by its number of columns (Searle 1971, "Linear
    Models", section 5.4).
    """
    rank = np.linalg.matrix_rank(np.hstack([*given, *offered.values()]))
    found = {}
    for term, columns in offered.items():
        others = [column for name, column in offered.items() if name != term]
        if rank - np.linalg.matrix_rank(np.hstack([*given, *others])) == columns.shape[1]:
            found[term] = columns
    return found


def _estimates(
    design: _Design, contrasts: Sequence[_Contrast]
) -> tuple[list[Estimate], str | None]:
    """Return the estimates, not corrected yet, and the name of the covariance."""
    if not contrasts:
        return [], None
    fit = sm.OLS(design.errors, design.columns).fit()
    rows = np.array([design.row(one) for one in contrasts])
    differences = rows @ fit.params
    if fit.df_resid < 1:
        return [Estimate(float(one)) for one in differences], None
    spread, freedom, covariance = _spread(fit, rows)
    if np.sqrt(fit.scale) < ROUNDING:
        # Runs without any noise: what they show is exact, and 0 / 0 isn't a t value.
        lows = highs = differences
        p_values = np.where(np.abs(differences) < ROUNDING, 1.0, 0.0)
    else:
        lows, highs = stats.t.interval(CONFIDENCE, freedom, differences, spread)
        p_values = 2 * stats.t.sf(np.abs(differences / spread), freedom)
    eta = {term: _partial_eta_squared(fit, design, term) for term in design.terms}
    found = zip(differences, lows, highs, p_values, contrasts, strict=True)
    return [
        Estimate(float(mean), float(low), float(high), float(p), partial_eta_squared=eta[one.term])
        for mean, low, high, p, one in found
    ], covariance


def _spread(fit: Any, rows: _Array) -> tuple[_Array, _Array, str]:
    """Return standard error and degrees of freedom of each contrast, and the covariance's name.

    HC2 takes e_i^2 / (1 - h_i) for the variance of run i. The freedom of a contrast of weights c
    on the runs is (sum c^2)^2 / (w' (M * M) w), w = c^2 / (1 - h), M the residual maker: Imbens &
    Kolesár 2016, equation 10, for equal variances.
    """
    model = fit.model.exog
    maker = np.eye(len(model)) - model @ fit.model.pinv_wexog
    left = np.diag(maker)
    if left.min() > ROUNDING:  # a run that the model fits whatever it is shows no variance
        squares = (rows @ fit.model.pinv_wexog) ** 2
        weights = squares / left
        freedom = squares.sum(axis=1) ** 2 / ((weights @ maker**2) * weights).sum(axis=1)
        if freedom.min() > _ENOUGH_FREEDOM - ROUNDING:
            robust = fit.get_robustcov_results(ROBUST)
            return robust.t_test(rows).sd.ravel(), freedom, ROBUST
    return fit.t_test(rows).sd.ravel(), np.full(len(rows), fit.df_resid), CLASSICAL


def _partial_eta_squared(fit: Any, design: _Design, term: _Term) -> float | None:
    if len(term) not in (1, 2):
        return None
    rest = sm.OLS(design.errors, design.without(term)).fit().ssr
    if np.sqrt(rest / len(design.errors)) < ROUNDING:
        return None
    return float(1 - fit.ssr / rest)


def _corrected(
    family: Sequence[tuple[_Contrast, Estimate]],
) -> list[tuple[_Contrast, Estimate]]:
    """Return a family of estimates with Holm's p values."""
    p_holm = holm([estimate.p for _, estimate in family])
    return [
        (one, replace(estimate, p_holm=p))
        for (one, estimate), p in zip(family, p_holm, strict=True)
    ]


def _mixed_model_gap(design: _Design, main: Sequence[tuple[_Contrast, Estimate]]) -> float | None:
    """Return how far the main effects are from those with the seeds as a random sample, points.

    None where that model can't be fitted: one seed, no noise, or no convergence.
    """
    known = [(one, found.difference) for one, found in main if found.difference is not None]
    if not known or not design.blocks.size:
        return None
    fixed = np.hstack(list(design.terms.values()))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            fit = sm.MixedLM(design.errors, fixed, groups=design.seeds).fit()
        except (np.linalg.LinAlgError, ValueError):
            return None
    if not fit.converged or not np.isfinite(fit.fe_params).all():
        return None
    rows = np.array([design.row(one)[: fixed.shape[1]] for one, _ in known])
    return float(np.abs(rows @ fit.fe_params - [difference for _, difference in known]).max())
