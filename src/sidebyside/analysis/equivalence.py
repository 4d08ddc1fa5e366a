"""Whether two levels give the same error but for a margin: shown, not just "no difference seen"."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from sidebyside.analysis.intervals import mean_estimate
from sidebyside.analysis.looks import Looks
from sidebyside.analysis.multiplicity import holm
from sidebyside.config.factors import REPLICATE, Level

ALPHA = 0.05  # of each of the two one-sided tests


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests of paired differences.

    Attributes
    ----------
    margin : float
        Largest difference that doesn't matter.
    n : int
        Number of differences, one per seed.
    difference : float or None
        Mean; None without any.
    low, high : float or None
        90 % interval of the mean; None for fewer than two.
    p : float or None
        The larger of the two one-sided p values.
    p_holm : float or None
        `p` corrected for other tests of equivalence.
    """

    margin: float
    n: int
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None

    @property
    def equivalent(self) -> bool:
        """Whether the difference is shown to be within the margin, at 0.05."""
        return self.p_holm is not None and self.p_holm < ALPHA


@dataclass(frozen=True)
class LevelEquivalence:
    """Two levels of a factor that was expected to make no difference.

    Attributes
    ----------
    factor : str
    levels : list of 2
    pairs, identical : int
        Pairs of runs that are equal in all else, and those of them with bit-identical weights:
        these show what they show without a test and are no part of it.
    test : Equivalence
        Of the other pairs, their differences averaged by seed.
    contradicted_by : list of str
        Factors with which it interacts, and at some level of which the two aren't shown to be
        equivalent, by a test that isn't corrected: then the average says nothing of these.
    """

    factor: str
    levels: list[Level]
    pairs: int
    identical: int
    test: Equivalence
    contradicted_by: list[str] = field(default_factory=list)

    @property
    def equivalent(self) -> bool:
        """Whether all pairs are bit-identical or the others shown to be within the margin."""
        return self.all_identical or (self.test.equivalent and not self.contradicted_by)

    @property
    def all_identical(self) -> bool:
        """Whether no pair is left to test."""
        return 0 < self.pairs == self.identical

    def as_json(self) -> dict[str, Any]:
        """Return the entry of ``comparison.json``."""
        counted = {"pairs": self.pairs, "identical": self.identical}
        named = {"factor": self.factor, "levels": self.levels}
        decided = {"contradicted_by": self.contradicted_by, "equivalent": self.equivalent}
        return named | counted | asdict(self.test) | decided


def tost(
    differences: Sequence[float],
    margin: float,
    least_variance: float = 0.0,
    looks: Looks | None = None,
    folds: int = 1,
) -> Equivalence:
    """Return whether the mean of paired differences is within +- margin.

    Two one-sided t tests, each at 0.05, so the 90 % interval decides (Schuirmann 1987, "A
    comparison of the two one-sided tests procedure and the power approach for assessing the
    equivalence of average bioavailability"). ``least_variance`` is that of one difference, see
    `sidebyside.analysis.intervals.rounding_variance`. With the ``looks`` of a study that grew, p
    and interval are good at each of them. ``folds`` as in
    `sidebyside.analysis.intervals.mean_estimate`.

    Raises
    ------
    ValueError
        If the margin isn't positive.
    """
    if margin <= 0:
        raise ValueError(f"a margin of equivalence is above 0, not {margin}")
    n = len(differences)
    mean = mean_estimate(differences, least_variance, folds)
    if mean is None:
        return Equivalence(margin, n, float(differences[0]) if n else None)
    if looks is None:
        low, high = mean.ends(1 - 2 * ALPHA)
        p: float | None = mean.p_within(margin)
        return Equivalence(margin, n, mean.mean, low, high, p, p)

    def of_look(count: int) -> float | None:
        estimate = mean_estimate(differences[:count], least_variance)
        return None if estimate is None else estimate.p_within(margin)

    low, high = mean.ends(looks.confidence_of_equivalence(n))
    p = looks.p(of_look, n, of_equivalence=True)
    return Equivalence(margin, n, mean.mean, low, high, p, p)


def compare_levels(
    runs: pd.DataFrame,
    factor: str,
    levels: tuple[Level, Level],
    margin: float,
    least_variance: float = 0.0,
    looks: Looks | None = None,
    folds: int = 1,
) -> LevelEquivalence:
    """Return whether two levels of a factor are equivalent, over runs otherwise equal.

    Parameters
    ----------
    runs : DataFrame
        A row per run: ``seed``, ``test_value`` by the metric, ``weights`` (a digest) and the
        factors, nothing else.
    factor : str
    levels : tuple
        The difference is the second minus the first.
    margin : float
        Largest difference that doesn't matter.
    least_variance : float
        Of a value, see `sidebyside.analysis.intervals.rounding_variance`.
    looks : Looks, optional
        Of a study that grew.
    folds : int
        As in `sidebyside.analysis.intervals.mean_estimate`.

    Raises
    ------
    ValueError
        If two runs are equal in all factors and seed.
    """
    others = [name for name in runs.columns if name not in (factor, "test_value", "weights")]
    first, second = (_by_setting(runs[_at(runs[factor], level)], others) for level in levels)
    both = [key for key in first if key in second]
    differing = [key for key in both if first[key][1] != second[key][1]]
    seed = others.index(REPLICATE)
    by_seed: dict[Any, list[float]] = {}
    for key in differing:
        by_seed.setdefault(key[seed], []).append(second[key][0] - first[key][0])
    fewest = min(map(len, by_seed.values()), default=1)
    return LevelEquivalence(
        factor=factor,
        levels=list(levels),
        pairs=len(both),
        identical=len(both) - len(differing),
        test=tost(
            [float(np.mean(by_seed[seed])) for seed in sorted(by_seed)],
            margin,
            2 * least_variance / fewest,
            looks,
            folds,
        ),
    )


def corrected(
    entries: Sequence[LevelEquivalence], looks: Looks | None = None
) -> list[LevelEquivalence]:
    """Return tests of equivalence with p values corrected after Holm over all of them.

    That of the only one at the ``looks`` of a study that grew takes what these allow.
    """
    p_values = holm([entry.test.p for entry in entries])
    if looks and sum(p is not None for p in p_values) == 1:
        p_values = [looks.p_alone_of_equivalence(p) for p in p_values]
    return [
        replace(entry, test=replace(entry.test, p_holm=p))
        for entry, p in zip(entries, p_values, strict=True)
    ]


def _at(column: pd.Series, level: Level) -> list[bool]:
    # pandas' own == is False between two None.
    return [own == level or (level is None and bool(pd.isna(own))) for own in column]


def _by_setting(
    runs: pd.DataFrame, others: Sequence[str]
) -> dict[tuple[Any, ...], tuple[float, str]]:
    """Return value and weights of each run, by its other levels and seed."""
    keys = [
        tuple(None if isinstance(value, float) and math.isnan(value) else value for value in row)
        for row in runs[list(others)].itertuples(index=False, name=None)
    ]
    if len(set(keys)) < len(keys):
        raise ValueError(f"runs with equal {', '.join(others)} can't be matched: name all factors")
    values = zip(runs["test_value"].tolist(), runs["weights"].tolist(), strict=True)
    return dict(zip(keys, values, strict=True))
