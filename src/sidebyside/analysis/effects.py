"""Main effects, interactions and simple effects of the factors, the seed as the cluster."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations, permutations, product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sidebyside.analysis.cluster_robust import cr2
from sidebyside.analysis.intervals import MeanEstimate, new_seeds_and_images
from sidebyside.analysis.multiplicity import holm
from sidebyside.analysis.power import ALPHA, more_pairs
from sidebyside.config.factors import REPLICATE, Level

_Array = NDArray[np.float64]
_Term = tuple[str, ...]  # the factors of a main effect or of an interaction


@dataclass(frozen=True)
class Estimate:
    """A difference of test errors in points, with its 95 % interval and test over seeds.

    All are None where the design can't tell the effect from others; all but the difference also
    where fewer than two seeds, or what a single seed determines, leave nothing to judge noise by.

    Attributes
    ----------
    difference, low, high, standard_error : float or None
    degrees_of_freedom, p, p_holm : float or None
        Those of Student's t; p_holm is corrected over the effect's family.
    seeds_and_images : dict or None
        "low" and "high" for new seeds and new images together.
    n, family : int
        Seeds, and effects that Holm's correction takes account of.
    """

    difference: float | None = None
    low: float | None = None
    high: float | None = None
    standard_error: float | None = None
    degrees_of_freedom: float | None = None
    p: float | None = None
    p_holm: float | None = None
    seeds_and_images: dict[str, float] | None = None
    n: int = 0
    family: int = 0

    @property
    def more_seeds(self) -> int | None:
        """How many more would show it with 80 % power, were the difference as seen.

        At the level of the first step of Holm's correction; None where it is shown or isn't tested.
        """
        if self.p_holm is None or self.shown:
            return None
        assert self.difference is not None
        assert self.standard_error is not None
        sd = self.standard_error * self.n**0.5
        return more_pairs(self.difference, sd, self.n, ALPHA / self.family)

    def as_json(self) -> dict[str, Any]:
        """Return the numbers of an entry of ``comparison.json``."""
        return asdict(self) | {"more_seeds": self.more_seeds}

    @property
    def shown(self) -> bool:
        """Whether the corrected test shows a difference."""
        return self.p_holm is not None and self.p_holm < ALPHA


@dataclass(frozen=True)
class MainEffect:
    """A level against the reference, averaged over the other factors with equal weights.

    ``contradicted_by`` are factors with which it interacts so that at some of their levels the
    difference isn't shown, or is the opposite: then the average says nothing of these.
    """

    factor: str
    level: Level
    reference: Level
    estimate: Estimate
    contradicted_by: list[str]

    def as_json(self) -> dict[str, Any]:
        """Return the entry of ``comparison.json``."""
        named = {"factor": self.factor, "level": self.level, "reference": self.reference}
        return named | self.estimate.as_json() | {"contradicted_by": self.contradicted_by}


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
        return named | self.estimate.as_json()


@dataclass(frozen=True)
class SimpleEffect:
    """A level against the reference at one level of another factor, averaged over the rest."""

    factor: str
    level: Level
    reference: Level
    given: str
    at: Level
    estimate: Estimate

    def as_json(self) -> dict[str, Any]:
        """Return the entry of ``comparison.json``."""
        named = {"factor": self.factor, "level": self.level, "reference": self.reference}
        return named | {"given": self.given, "at": self.at} | self.estimate.as_json()


@dataclass(frozen=True)
class Effects:
    """What the factors of a study do, each list in the order of the factors and levels."""

    main: list[MainEffect]
    interactions: list[Interaction]
    simple: list[SimpleEffect]

    def as_json(self) -> dict[str, Any]:
        """Return what ``comparison.json`` gains: simple effects where two factors interact."""
        shown = {frozenset(one.factors) for one in self.interactions if one.estimate.shown}
        return {
            "main": [effect.as_json() for effect in self.main],
            "interactions": [effect.as_json() for effect in self.interactions],
            "simple": [
                effect.as_json()
                for effect in self.simple
                if frozenset((effect.factor, effect.given)) in shown
            ],
        }


@dataclass(frozen=True)
class _Contrast:
    """A comparison of levels: its weights on the columns of each term that takes part."""

    names: tuple[Any, ...]
    weights: Mapping[_Term, _Array]


@dataclass(frozen=True)
class _Design:
    """The model's columns: those of each term that can be estimated, then those of the seeds.

    Attributes
    ----------
    terms : dict of ndarray, each shape (runs, columns of the term)
        The first, ``()``, is the intercept.
    blocks : ndarray, shape (runs, columns)
    seeds : ndarray of int, shape (runs,)
    """

    terms: dict[_Term, _Array]
    blocks: _Array
    seeds: NDArray[np.intp]

    @property
    def count(self) -> int:
        """The number of seeds."""
        return int(self.seeds.max()) + 1

    @property
    def columns(self) -> _Array:
        """The whole model matrix, shape (runs, columns)."""
        return np.hstack([*self.terms.values(), self.blocks])

    def row(self, contrast: _Contrast) -> _Array:
        """Return a contrast's weights of all columns, shape (columns,)."""
        of_terms = [
            contrast.weights.get(term, np.zeros(columns.shape[1]))
            for term, columns in self.terms.items()
        ]
        return np.concatenate([*of_terms, np.zeros(self.blocks.shape[1])])


def effects(
    runs: pd.DataFrame,
    factors: Sequence[str],
    *,
    wrong: NDArray[np.bool_] | None = None,
    least_variance: float = 0.0,
    expected_equal: Sequence[str] = (),
) -> Effects:
    """Return main effects, two-way interactions and simple effects with 95 % intervals over seeds.

    One linear model of all runs, ordinary least squares: the factors and their interactions in
    sum-to-zero coding, so that an effect averages over the other factors, and the seeds as blocks
    (Montgomery 2017, "Design and Analysis of Experiments", chapters 4 and 5). Interactions of three
    and more factors are in the model where each variant was run at least twice.

    Runs with the same seed share the order of their images and more, so it is the seed that is
    replicated, not the run: intervals are those of `sidebyside.analysis.cluster_robust.cr2` with
    the seed as the cluster. No number of variants makes up for few seeds, and runs that are counted
    twice because they came out the same change nothing.

    p values are corrected after Holm: main effects, interactions, and the simple effects of one
    difference over the levels of one other factor, each a family of its own.

    Parameters
    ----------
    runs : DataFrame
        A row per run with its level of each factor, ``seed`` (what runs of a cluster share) and
        ``test_error`` (percent). A column with None among its levels should have dtype object.
    factors : sequence of str
        Those with a single level take no part. The reference is the first level met.
    wrong : ndarray of bool, shape (runs, images), optional
        Whether a prediction is wrong: for the intervals over new images too.
    least_variance : float
        Of a test error, see `sidebyside.analysis.intervals.rounding_variance`.
    expected_equal : sequence of str
        Factors whose levels are tested for equivalence: their main effects aren't tested here, and
        are no part of Holm's family.
    """
    codes, levels = _coded(runs, factors)
    design = _design(codes, levels, pd.factorize(runs[REPLICATE])[0])
    families = [_main_contrasts(levels), _interaction_contrasts(levels), *_simple_contrasts(levels)]
    contrasts = [contrast for family in families for contrast in family]
    errors = runs["test_error"].to_numpy(float)
    estimates = iter(_estimates(design, contrasts, errors, wrong, least_variance))
    main, interactions, *simple = (
        _corrected(
            [(contrast.names, next(estimates)) for contrast in family],
            untested=expected_equal if number == 0 else (),
        )
        for number, family in enumerate(families)
    )
    between = [
        Interaction(list(factors), list(own), list(references), estimate)
        for (factors, own, references), estimate in interactions
    ]
    by_level = [
        SimpleEffect(factor, level, reference, given, at, estimate)
        for family in simple
        for (factor, level, reference, given, at), estimate in family
    ]
    return Effects(
        main=[
            MainEffect(
                factor=names[0],
                level=names[1],
                reference=names[2],
                estimate=estimate,
                contradicted_by=_contradicted_by(names, estimate, between, by_level),
            )
            for names, estimate in main
        ],
        interactions=between,
        simple=by_level,
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


def _main_contrasts(levels: Mapping[str, Sequence[Level]]) -> list[_Contrast]:
    return [
        _Contrast((factor, of_factor[number], of_factor[0]), {(factor,): _apart(of_factor, number)})
        for factor, of_factor in levels.items()
        for number in range(1, len(of_factor))
    ]


def _interaction_contrasts(levels: Mapping[str, Sequence[Level]]) -> list[_Contrast]:
    """Return the differences of differences; their weights are products of those of two factors."""
    contrasts = []
    for a, b in combinations(levels, 2):
        for i, j in product(range(1, len(levels[a])), range(1, len(levels[b]))):
            weights = np.outer(_apart(levels[a], i), _apart(levels[b], j)).ravel()
            names = ((a, b), (levels[a][i], levels[b][j]), (levels[a][0], levels[b][0]))
            contrasts.append(_Contrast(names, {(a, b): weights}))
    return contrasts


def _simple_contrasts(levels: Mapping[str, Sequence[Level]]) -> list[list[_Contrast]]:
    """Return, by difference of a factor and by other factor, a contrast per level of the other."""
    families = []
    for factor, given in permutations(levels, 2):
        term = tuple(name for name in levels if name in (factor, given))
        for number in range(1, len(levels[factor])):
            apart, family = _apart(levels[factor], number), []
            for at, coded in zip(levels[given], _sum_to_zero(len(levels[given])), strict=True):
                both = np.kron(apart, coded) if term[0] == factor else np.kron(coded, apart)
                names = (factor, levels[factor][number], levels[factor][0], given, at)
                family.append(_Contrast(names, {(factor,): apart, term: both}))
            families.append(family)
    return families


def _apart(levels: Sequence[Level], number: int) -> _Array:
    """Return the weights of a level minus the first one."""
    coding = _sum_to_zero(len(levels))
    weights: _Array = coding[number] - coding[0]
    return weights


def _sum_to_zero(count: int) -> _Array:
    """Return the coding of so many levels, shape (count, count - 1)."""
    return np.vstack([np.eye(count - 1), -np.ones(count - 1)])


def _design(
    codes: Mapping[str, NDArray[np.intp]],
    levels: Mapping[str, Sequence[Level]],
    seeds: NDArray[np.intp],
) -> _Design:
    """Return the model, lower orders first: an interaction never hides a main effect."""
    blocks = _blocks(seeds)
    terms: dict[_Term, _Array] = {(): np.ones((len(seeds), 1))}
    of_factor = {name: _sum_to_zero(len(levels[name]))[code] for name, code in codes.items()}
    highest = len(codes) if _replicated(codes) else 2
    for order in range(1, min(highest, len(codes)) + 1):
        offered = {term: _products(term, of_factor) for term in combinations(codes, order)}
        terms |= _estimable(offered, [*terms.values(), blocks])
    return _Design(terms, blocks, seeds)


def _blocks(seeds: NDArray[np.intp]) -> _Array:
    """Return a column per seed that several runs share, but for one where all runs share theirs."""
    shared = np.flatnonzero(np.bincount(seeds) > 1)
    if np.isin(seeds, shared).all():
        shared = shared[1:]
    return (seeds[:, np.newaxis] == shared).astype(float)


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
    estimable = {}
    for term, columns in offered.items():
        others = [column for name, column in offered.items() if name != term]
        if rank - np.linalg.matrix_rank(np.hstack([*given, *others])) == columns.shape[1]:
            estimable[term] = columns
    return estimable


def _estimates(
    design: _Design,
    contrasts: Sequence[_Contrast],
    errors: _Array,
    wrong: NDArray[np.bool_] | None,
    least_variance: float,
) -> Iterable[Estimate]:
    """Return the estimates, not corrected yet, in the order of the contrasts."""
    known = [contrast for contrast in contrasts if contrast.weights.keys() <= design.terms.keys()]
    if not known:
        return [Estimate() for _ in contrasts]
    model = design.columns
    rows = np.array([design.row(contrast) for contrast in known])
    inverse = np.linalg.pinv(model)
    weights = rows @ inverse  # of each run's error
    variances, freedoms = cr2(model, errors - model @ (inverse @ errors), design.seeds, rows)
    variances = np.maximum(variances, least_variance * (weights**2).sum(axis=1))
    by_seed = None if wrong is None else _by_seed(weights, design, wrong)
    numbers = zip((weights @ errors).tolist(), variances.tolist(), freedoms.tolist(), strict=True)
    found = {
        id(contrast): _estimate(
            MeanEstimate(*of_contrast),
            None if by_seed is None else by_seed[:, number],
            design.count,
        )
        for number, (contrast, of_contrast) in enumerate(zip(known, numbers, strict=True))
    }
    return [found.get(id(contrast), Estimate()) for contrast in contrasts]


def _by_seed(weights: _Array, design: _Design, wrong: NDArray[np.bool_]) -> _Array:
    """Return what each seed and image adds to the contrasts: shape (seeds, contrasts, images).

    In points, times the number of seeds, so that their mean is the contrast.
    """
    of_seeds = [np.flatnonzero(design.seeds == seed) for seed in range(design.count)]
    return np.stack(
        [100 * design.count * (weights[:, runs] @ wrong[runs].astype(float)) for runs in of_seeds]
    )


def _estimate(found: MeanEstimate, by_seed: _Array | None, seeds: int) -> Estimate:
    if math.isnan(found.freedom):
        return Estimate(found.mean, n=seeds)
    low, high = found.ends()
    together = None
    if by_seed is not None:
        both = new_seeds_and_images(by_seed, found.variance, found.freedom)
        together = None if both is None else both.named_ends()
    return Estimate(
        difference=found.mean,
        low=low,
        high=high,
        standard_error=found.error,
        degrees_of_freedom=found.freedom,
        p=found.p,
        seeds_and_images=together,
        n=seeds,
    )


def _corrected(
    family: Sequence[tuple[Any, Estimate]], untested: Sequence[str]
) -> list[tuple[Any, Estimate]]:
    """Return a family of estimates with Holm's p values."""
    tested = [None if names[0] in untested else estimate.p for names, estimate in family]
    size = sum(p is not None for p in tested)
    return [
        (names, replace(estimate, p_holm=p, family=size))
        for (names, estimate), p in zip(family, holm(tested), strict=True)
    ]


def _contradicted_by(
    names: tuple[str, Level, Level],
    average: Estimate,
    interactions: Sequence[Interaction],
    simple: Sequence[SimpleEffect],
) -> list[str]:
    """Return the factors by whose levels a main effect is not what it is on average."""
    factor, level, _ = names
    shown = [one for one in interactions if one.estimate.shown]
    others = [
        other
        for one in shown
        for other in one.factors
        if other != factor and (factor, level) in zip(one.factors, one.levels, strict=True)
    ]
    contradicting = []
    for given in dict.fromkeys(others):
        by_level = [
            one.estimate
            for one in simple
            if (one.factor, one.level, one.given) == (factor, level, given)
        ]
        if not all(_same_way(estimate, average) for estimate in by_level):
            contradicting.append(given)
    return contradicting


def _same_way(estimate: Estimate, average: Estimate) -> bool:
    assert estimate.difference is not None
    assert average.difference is not None
    return estimate.shown and (estimate.difference > 0) == (average.difference > 0)
