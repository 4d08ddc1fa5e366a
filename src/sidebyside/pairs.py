"""Two variants held against each other over the seeds that both were run with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from sidebyside.equivalence import tost
from sidebyside.intervals import ROUNDING, interval
from sidebyside.multiplicity import holm
from sidebyside.over_images import difference_over_images, mcnemar_p
from sidebyside.power import ALPHA, pairs_needed

_FEWEST = 3  # pairs for a test: with two, a p value below 0.05 is next to out of reach
_MOST_SEEDS = 200  # no one would run more


@dataclass(frozen=True)
class Replicate:
    """The runs of a variant.

    Attributes
    ----------
    name : str
    seeds : list of int
    errors : list of float
        Test errors, percent.
    wrong : ndarray of bool, shape (runs, images)
        Whether a prediction is wrong.
    """

    name: str
    seeds: list[int]
    errors: list[float]
    wrong: NDArray[np.bool_]


@dataclass(frozen=True)
class Pair:
    """Two variants, paired by their common seeds.

    Attributes
    ----------
    a, b : str
        Names of the variants.
    differences : list of float
        Test error of a minus that of b by common seed, points.
    margin : float
        Largest difference that doesn't matter, points.
    p_holm : float or None
        `p` corrected for the other pairs of the list.
    pairs : int
        The length of that list.
    over_images : dict or None
        See `difference_over_images`; None without a common seed.
    mcnemar_p : float or None
        Where there is one common seed.
    superiority : float
        Probability that a run of a has a lower error than a run of b.
    """

    a: str
    b: str
    differences: list[float]
    margin: float
    p_holm: float | None
    pairs: int
    over_images: dict[str, float] | None
    mcnemar_p: float | None
    superiority: float

    @property
    def n(self) -> int:
        """The number of common seeds."""
        return len(self.differences)

    @property
    def difference(self) -> dict[str, float | None]:
        """Mean difference in points with its 95 % interval over seeds."""
        if not self.n:
            return {"mean": None, "low": None, "high": None}
        found = interval(self.differences)
        return {name: found[name] for name in ("mean", "low", "high")}

    @property
    def p(self) -> float | None:
        """Of the paired t test (Student 1908); None for fewer than three pairs."""
        if self.n < _FEWEST:
            return None
        if np.ptp(self.differences) < ROUNDING:
            return 1.0 if abs(np.mean(self.differences)) < ROUNDING else 0.0
        return float(stats.ttest_1samp(self.differences, 0).pvalue)

    @property
    def verdict(self) -> str:
        """Of a against b: better, worse, equivalent or can't tell.

        A difference that is shown counts, even if it is within the margin.
        """
        if self.p_holm is not None and self.p_holm < ALPHA:
            return "better" if np.mean(self.differences) < 0 else "worse"
        if self.n >= _FEWEST and tost(self.differences, self.margin).equivalent:
            return "equivalent"
        return "can't tell"

    @property
    def more_seeds(self) -> int | None:
        """How many more seeds would tell with 80 % power, were the difference as seen.

        At the level of the first step of Holm's correction, 0.05 / pairs. None unless the verdict
        is "can't tell", for fewer than two pairs, and where over 200 seeds would be needed.
        """
        if self.verdict != "can't tell" or self.n < 2:
            return None
        mean, sd = abs(np.mean(self.differences)), float(np.std(self.differences, ddof=1))
        if mean < ROUNDING:
            return None
        needed = pairs_needed(sd if sd > ROUNDING else 0.0, float(mean), ALPHA / self.pairs)
        if needed is None or needed - self.n > _MOST_SEEDS:
            return None
        return max(1, needed - self.n)

    @property
    def statement(self) -> str:
        """What is found, in a sentence."""
        if self.verdict == "equivalent":
            return f"{self.a} and {self.b} are equivalent within {self.margin:g} points"
        if self.verdict == "can't tell":
            few = f"Can't tell {self.a} from {self.b} with {self.n} seed{'s' * (self.n != 1)}"
            if self.more_seeds is None:
                return few
            return f"{few}; about {self.more_seeds} more would at the difference seen"
        sign = -1 if self.verdict == "better" else 1
        found = interval(self.differences)
        mean, *ends = (sign * float(found[name] or 0) for name in ("mean", "low", "high"))
        return (
            f"{self.a} is {self.verdict} than {self.b} by {mean:.2f} points "
            f"[{min(ends):.2f}, {max(ends):.2f}] (n={self.n} seeds)"
        )

    def as_json(self) -> dict[str, Any]:
        """Return the entry of ``comparison.json``."""
        return {
            "a": self.a,
            "b": self.b,
            "n": self.n,
            "difference": self.difference,
            "p": self.p,
            "p_holm": self.p_holm,
            "over_images": self.over_images,
            "mcnemar_p": self.mcnemar_p,
            "superiority": self.superiority,
            "verdict": self.verdict,
            "more_seeds": self.more_seeds,
            "statement": self.statement,
        }


def compare_pair(a: Replicate, b: Replicate, margin: float) -> Pair:
    """Return two variants held against each other, on their own.

    Superiority takes all runs: Mann and Whitney's U / (n m), ties count half (Vargha & Delaney
    2000, "A critique and improvement of the CL common language effect size statistics").

    Parameters
    ----------
    a, b : Replicate
        Tested on the same images.
    margin : float
        Largest difference that doesn't matter, points.

    Raises
    ------
    ValueError
        If the margin isn't positive, once a verdict is asked for.
    """
    common = [seed for seed in a.seeds if seed in b.seeds]
    of_a, of_b = ([one.seeds.index(seed) for seed in common] for one in (a, b))
    wrong_a, wrong_b = a.wrong[of_a], b.wrong[of_b]
    lower = stats.mannwhitneyu(b.errors, a.errors).statistic / (len(a.errors) * len(b.errors))
    pair = Pair(
        a=a.name,
        b=b.name,
        differences=[a.errors[i] - b.errors[j] for i, j in zip(of_a, of_b, strict=True)],
        margin=margin,
        p_holm=None,
        pairs=1,
        over_images=difference_over_images(wrong_a, wrong_b) if common else None,
        mcnemar_p=mcnemar_p(wrong_a[0], wrong_b[0]) if len(common) == 1 else None,
        superiority=float(lower),
    )
    return replace(pair, p_holm=pair.p)


def compare_pairs(
    replicates: Sequence[Replicate], pairs: Sequence[tuple[str, str]], margin: float
) -> list[Pair]:
    """Return pairs of variants, given by name, with p values corrected over the list.

    Holm's correction over those pairs that can be tested; see `compare_pair`.
    """
    by_name = {one.name: one for one in replicates}
    found = [compare_pair(by_name[a], by_name[b], margin) for a, b in pairs]
    p_holm = holm([pair.p for pair in found])
    return [
        replace(pair, p_holm=p, pairs=len(found)) for pair, p in zip(found, p_holm, strict=True)
    ]
