"""Variants held against each other over their common seeds; which are one under two names."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from sidebyside.analysis.equivalence import tost
from sidebyside.analysis.images import difference_over_images, mcnemar_p
from sidebyside.analysis.intervals import (
    CONFIDENCE,
    MeanEstimate,
    mean_estimate,
    new_seeds_and_images,
)
from sidebyside.analysis.looks import Looks
from sidebyside.analysis.many.parallel import each
from sidebyside.analysis.metrics.replicate import Replicate
from sidebyside.analysis.metrics.scores import in_unit, is_counted
from sidebyside.analysis.multiplicity import holm
from sidebyside.analysis.power import ALPHA, FEWEST, more_pairs
from sidebyside.analysis.resampled.correction import effective
from sidebyside.config.metrics import ERROR, Metric


@dataclass(frozen=True)
class Pair:
    """Two variants, paired by their common seeds.

    Attributes
    ----------
    a, b : str
        Names of the variants.
    differences : list of float
        Value of a minus that of b by common seed.
    least_variance : float
        Of one difference, see `sidebyside.analysis.intervals.rounding_variance`.
    margin : float
        Largest difference that doesn't matter.
    identical : bool
        Whether all common seeds gave bit-identical weights: then nothing is to be tested.
    p_holm, p_equivalent_holm : float or None
        `p` and `p_equivalent` corrected for the other pairs of the list.
    pairs : int
        How many pairs the correction takes account of.
    seeds_and_images : dict or None
        "low" and "high" of the 95 % interval for new seeds and new images together.
    over_images : dict or None
        See `difference_over_images`; None without a common seed, or without images.
    mcnemar_p : float or None
        Where there is one common seed, and images are right or wrong.
    superiority : float
        Probability that a run of a is better than a run of b.
    looks : Looks or None
        Those of a study that grew: p values and intervals are good at any of them.
    metric : Metric
        What the differences are of.
    folds : int
        See `Replicate`: of p values and intervals over seeds, and of more seeds, which are whole
        repetitions.
    """

    a: str
    b: str
    differences: list[float]
    least_variance: float
    margin: float
    identical: bool
    p_holm: float | None
    p_equivalent_holm: float | None
    pairs: int
    seeds_and_images: dict[str, float] | None
    over_images: dict[str, float] | None
    mcnemar_p: float | None
    superiority: float
    looks: Looks | None = None
    metric: Metric = ERROR
    folds: int = 1

    @property
    def n(self) -> int:
        """The number of common seeds."""
        return len(self.differences)

    @property
    def confidence(self) -> float:
        """That of an interval which is one of 95 % over all looks."""
        return self.looks.confidence(self.n) if self.looks else CONFIDENCE

    @cached_property
    def _estimate(self) -> MeanEstimate | None:
        return mean_estimate(self.differences, self.least_variance, self.folds)

    @property
    def difference(self) -> dict[str, float | None]:
        """Mean difference with its 95 % interval over seeds."""
        if self._estimate is None:
            mean = float(self.differences[0]) if self.n else None
            return {"mean": mean, "low": None, "high": None}
        low, high = self._estimate.ends(self.confidence)
        return {"mean": self._estimate.mean, "low": low, "high": high}

    @property
    def by_look(self) -> list[dict[str, float]]:
        """The mean difference with its interval at each look so far."""
        found = []
        for count in self.looks.counts if self.looks else ():
            estimate = mean_estimate(self.differences[:count], self.least_variance)
            if self.looks and estimate and count <= self.n:
                ends = estimate.named_ends(self.looks.confidence(count))
                found.append({"seeds": count, "mean": estimate.mean} | ends)
        return found

    @property
    def p(self) -> float | None:
        """Of the paired t test (Student 1908), corrected for folds; None for fewer than three."""
        if self._estimate is None or self.n < FEWEST or self.identical:
            return None
        return self.looks.p(self._p_of, self.n) if self.looks else self._estimate.p

    def _p_of(self, count: int) -> float | None:
        """Return p at an earlier look, None where that shows the opposite of the last one."""
        estimate = mean_estimate(self.differences[:count], self.least_variance)
        opposed = estimate and self._estimate and estimate.mean * self._estimate.mean < 0
        return None if estimate is None or opposed else estimate.p

    @property
    def p_equivalent(self) -> float | None:
        """Of the tests of equivalence, see `tost`; None for fewer than three pairs."""
        if self.n < FEWEST or self.identical:
            return None
        return tost(self.differences, self.margin, self.least_variance, self.looks, self.folds).p

    @property
    def verdict(self) -> str:
        """Of a against b: better, worse, equivalent, identical or can't tell.

        A difference that is shown counts, even if it is within the margin.
        """
        if self.identical:
            return "identical"
        if self.p_holm is not None and self.p_holm < ALPHA:
            return "better" if self.metric.rank(float(np.mean(self.differences))) < 0 else "worse"
        if self.p_equivalent_holm is not None and self.p_equivalent_holm < ALPHA:
            return "equivalent"
        return "can't tell"

    @property
    def more_seeds(self) -> int | None:
        """How many more seeds would tell with 80 % power, were the difference as seen.

        At the level of the first step of Holm's correction, 0.05 / pairs. None unless the verdict
        is "can't tell", for fewer than two pairs, and where over 200 seeds would be needed.
        """
        if self.verdict != "can't tell" or self._estimate is None:
            return None
        sd = self._estimate.error * effective(self.n, self.folds) ** 0.5
        return more_pairs(self._estimate.mean, sd, self.n, ALPHA / self.pairs, self.folds)

    def as_json(self) -> dict[str, Any]:
        """Return the entry of ``comparison.json``, but for its sentence."""
        looks = {"looks": self.by_look} if self.looks else {}
        return {
            "a": self.a,
            "b": self.b,
            "n": self.n,
            "margin": self.margin,
            "difference": self.difference,
            "p": self.p,
            "p_holm": self.p_holm,
            "p_equivalent": self.p_equivalent,
            "p_equivalent_holm": self.p_equivalent_holm,
            "seeds_and_images": self.seeds_and_images,
            "over_images": self.over_images,
            "mcnemar_p": self.mcnemar_p,
            "superiority": self.superiority,
            "verdict": self.verdict,
            "more_seeds": self.more_seeds,
        } | looks


def compare_pair(a: Replicate, b: Replicate, margin: float, looks: Looks | None = None) -> Pair:
    """Return two variants held against each other, on their own.

    Superiority takes all runs: Mann and Whitney's U / (n m), ties count half (Vargha & Delaney
    2000, "A critique and improvement of the CL common language effect size statistics").

    Parameters
    ----------
    a, b : Replicate
        Tested on the same images, seed by seed.
    margin : float
        Largest difference that doesn't matter.
    looks : Looks, optional
        Of a study that grew: seeds beyond the last look are left out.

    Raises
    ------
    ValueError
        If the margin isn't positive, once a verdict is asked for.
    """
    common = [seed for seed in a.seeds if seed in b.seeds]
    if looks:
        common = sorted(common)[: looks.reached(len(common))]
    of_a, of_b = ([own.seeds.index(seed) for seed in common] for own in (a, b))
    scores_a, scores_b = a.scores[of_a], b.scores[of_b]
    least = a.rounding + b.rounding
    counted, one = is_counted(a.scores), len(common) == 1 and scores_a.size > 0
    confidence = looks.confidence(len(common)) if looks else CONFIDENCE
    both = new_seeds_and_images(
        in_unit(scores_a) - in_unit(scores_b),
        least_variance=least,
        skewed=not counted,
    )
    ranks = [[own.metric.rank(value) for value in own.values] for own in (a, b)]
    above = np.sign(np.subtract.outer(ranks[1], ranks[0]))
    pair = Pair(
        a=a.name,
        b=b.name,
        differences=[a.values[i] - b.values[j] for i, j in zip(of_a, of_b, strict=True)],
        least_variance=least,
        margin=margin,
        identical=bool(common) and [a.weights[i] for i in of_a] == [b.weights[j] for j in of_b],
        p_holm=None,
        p_equivalent_holm=None,
        pairs=1,
        seeds_and_images=None,
        over_images=difference_over_images(scores_a, scores_b) if scores_a.size else None,
        mcnemar_p=mcnemar_p(scores_a[0], scores_b[0]) if one and counted else None,
        superiority=float((1 + above.mean()) / 2),
        looks=looks,
        metric=a.metric,
        folds=a.folds,
    )
    return replace(
        pair,
        p_holm=pair.p,
        p_equivalent_holm=pair.p_equivalent,
        seeds_and_images=None if both is None else both.named_ends(confidence),
    )


def compare_pairs(
    replicates: Sequence[Replicate],
    pairs: Sequence[tuple[str, str]],
    margin: float,
    chosen_from: int = 0,
    looks: Looks | None = None,
) -> list[Pair]:
    """Return pairs of variants, given by name, with p values corrected over the list.

    Holm's correction over those pairs that can be tested, tests of a difference and of equivalence
    each a family of its own; see `compare_pair`. Where these pairs were chosen by what the runs had
    shown, ``chosen_from`` is the number of all that might have been. With the ``looks`` of a study
    that grew, decisions are good at each of them.
    """
    by_name = {replicate.name: replicate for replicate in replicates}
    alone = each(
        lambda pair: compare_pair(by_name[pair[0]], by_name[pair[1]], margin, looks), pairs
    )
    differing = holm([pair.p for pair in alone], chosen_from)
    equivalent = holm([pair.p_equivalent for pair in alone], chosen_from)
    if looks and max(len(alone), chosen_from) == 1:
        differing = [looks.p_alone(p) for p in differing]
        equivalent = [looks.p_alone_of_equivalence(p) for p in equivalent]
    return [
        replace(
            pair,
            p_holm=p,
            p_equivalent_holm=p_equivalent,
            pairs=max(len(alone), chosen_from),
        )
        for pair, p, p_equivalent in zip(alone, differing, equivalent, strict=True)
    ]
