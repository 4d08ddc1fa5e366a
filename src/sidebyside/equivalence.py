"""Whether two levels give the same error but for a margin: shown, not just "no difference seen"."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.stats.weightstats import DescrStatsW

from sidebyside.factors import Level
from sidebyside.intervals import ROUNDING

ALPHA = 0.05  # of each of the two one-sided tests


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests of paired differences in points.

    Attributes
    ----------
    margin : float
        Largest difference that doesn't matter, points.
    n : int
        Number of pairs.
    difference : float or None
        Mean; None without pairs.
    low, high : float or None
        90 % interval of the mean; None for fewer than two pairs.
    p : float or None
        The larger of the two one-sided p values.
    """

    margin: float
    n: int
    difference: float | None
    low: float | None
    high: float | None
    p: float | None

    @property
    def equivalent(self) -> bool:
        """Whether the difference is shown to be within the margin, at 0.05."""
        return self.p is not None and self.p < ALPHA

    def as_json(self) -> dict[str, Any]:
        """Return the numbers of the entry of ``comparison.json``."""
        return asdict(self) | {"equivalent": self.equivalent}


def tost(differences: Sequence[float], margin: float) -> Equivalence:
    """Return whether the mean of paired differences (points) is within +- margin.

    Two one-sided t tests, each at 0.05, so the 90 % interval decides (Schuirmann 1987, "A
    comparison of the two one-sided tests procedure and the power approach for assessing the
    equivalence of average bioavailability").

    Raises
    ------
    ValueError
        If the margin isn't positive.
    """
    if margin <= 0:
        raise ValueError(f"a margin of equivalence is above 0, not {margin}")
    n = len(differences)
    mean = float(np.mean(differences)) if n else None
    if mean is None or n < 2:
        return Equivalence(margin, n, mean, None, None, None)
    if np.ptp(differences) < ROUNDING:
        return Equivalence(margin, n, mean, mean, mean, 0.0 if abs(mean) < margin else 1.0)
    found = DescrStatsW(differences)
    low, high = found.tconfint_mean(2 * ALPHA)
    p = found.ttost_mean(-margin, margin)[0]
    return Equivalence(margin, n, mean, float(low), float(high), float(p))


def matched_differences(
    runs: pd.DataFrame, factor: str, levels: tuple[Level, Level]
) -> list[float]:
    """Return test error at level b minus that at level a, in points, of runs otherwise equal.

    Parameters
    ----------
    runs : DataFrame
        A row per run: ``seed``, ``test_error`` (percent) and the factors, nothing else.
    factor : str
    levels : tuple
        a and b.

    Raises
    ------
    ValueError
        If two runs are equal in all factors and seed.
    """
    others = [name for name in runs.columns if name not in (factor, "test_error")]
    first, second = (_errors(runs[_at(runs[factor], level)], others) for level in levels)
    return [second[key] - first[key] for key in first if key in second]


def _at(column: pd.Series, level: Level) -> list[bool]:
    # pandas' own == is False between two None.
    return [found == level or (level is None and bool(pd.isna(found))) for found in column]


def _errors(runs: pd.DataFrame, by: Sequence[str]) -> dict[tuple[Any, ...], float]:
    keys = [
        tuple(None if isinstance(value, float) and math.isnan(value) else value for value in row)
        for row in runs[list(by)].itertuples(index=False, name=None)
    ]
    if len(set(keys)) < len(keys):
        raise ValueError(f"runs with equal {', '.join(by)} can't be matched: name all factors")
    return dict(zip(keys, runs["test_error"].tolist(), strict=True))
