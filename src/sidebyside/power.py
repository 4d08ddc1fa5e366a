"""What a study with so many seeds can detect, and how many seeds a difference needs."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from statsmodels.stats.power import TTestIndPower, TTestPower

POWER = 0.8  # the chance to find a difference that is there
ALPHA = 0.05  # two-sided
_MOST = 100_000  # nobody asks for more
ASKED = ("0.1", "0.05")  # points: differences to give the needed seeds of


@dataclass(frozen=True)
class Power:
    """What the seeds of a study can tell of two of its variants.

    Attributes
    ----------
    sd : float or None
        Standard deviation of the test error over seeds, points, pooled over variants.
    n : int
        Seeds per variant, of the variant with the fewest.
    smallest_difference : float or None
        Detectable with 80 % power at two-sided 0.05, points.
    seeds_for : dict of int
        The seeds per variant that a difference (key, points) needs. None without sd.
    """

    sd: float | None
    n: int
    smallest_difference: float | None
    seeds_for: dict[str, int | None]

    def as_json(self) -> dict[str, Any]:
        """Return the entry of ``comparison.json``."""
        return asdict(self)


def power(errors: Sequence[Sequence[float]]) -> Power:
    """Return the power of a study from the test errors (percent) of each variant's runs."""
    sd, n = pooled_sd(errors), min(map(len, errors))
    return Power(
        sd=sd,
        n=n,
        smallest_difference=None if sd is None else smallest_difference(sd, n),
        seeds_for={
            asked: None if sd is None else seeds_needed(sd, float(asked)) for asked in ASKED
        },
    )


def pooled_sd(errors: Sequence[Sequence[float]]) -> float | None:
    """Return the standard deviation within variants, in points.

    sqrt(sum (n_i - 1) s_i^2 / sum (n_i - 1)) (Cohen 1988, "Statistical Power Analysis", equation
    2.5.2). None if no variant has two runs.
    """
    several = [values for values in errors if len(values) > 1]
    if not several:
        return None
    variances = [np.var(values, ddof=1) for values in several]
    return math.sqrt(np.average(variances, weights=[len(values) - 1 for values in several]))


def smallest_difference(sd: float, n: int) -> float | None:
    """Return the difference in points that n seeds of each of two variants show.

    With 80 % power at two-sided 0.05 by Student's t test of two independent samples (Cohen 1988,
    section 2.4). None for n < 2.
    """
    if n < 2:
        return None
    return sd * float(TTestIndPower().solve_power(nobs1=n, alpha=ALPHA, power=POWER))


def seeds_needed(sd: float, difference: float) -> int | None:
    """Return the seeds of each of two variants that show a difference in points.

    With 80 % power at two-sided 0.05, at least 2. None for no difference or over 100 000.
    """
    return _needed(TTestIndPower(), 2, sd, difference, ALPHA)


def pairs_needed(sd: float, difference: float, alpha: float = ALPHA) -> int | None:
    """Return the number of pairs that show a mean difference by the paired t test.

    With 80 % power, ``sd`` that of the differences (Cohen 1988, section 2.3.5); at least 3, as no
    fewer are tested. None for no difference or over 100 000.
    """
    return _needed(TTestPower(), 3, sd, difference, alpha)


def _needed(test: Any, least: int, sd: float, difference: float, alpha: float) -> int | None:
    if difference == 0:
        return None
    if sd == 0:
        return least
    size = abs(difference) / sd
    counts = range(least, _MOST + 1)
    # Not solve_power, whose root finder gives up on large effects; there the noncentral t may have
    # no number for the power, which is then as good as 1.
    at = bisect_left(counts, True, key=lambda one: not test.power(size, one, alpha=alpha) < POWER)
    return counts[at] if at < len(counts) else None
