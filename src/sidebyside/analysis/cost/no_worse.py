"""Whether a smaller network is no worse than another: shown within a margin."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from sidebyside.analysis.cost.sizes import Size
from sidebyside.analysis.intervals import MeanEstimate, mean_estimate
from sidebyside.analysis.looks import Looks
from sidebyside.analysis.metrics.replicate import Replicate
from sidebyside.analysis.multiplicity import holm
from sidebyside.analysis.pairs import Pair, compare_pair
from sidebyside.analysis.power import ALPHA, FEWEST


@dataclass(frozen=True)
class NoWorse:
    """A smaller variant against a larger one, by a one-sided test of non-inferiority.

    Attributes
    ----------
    smaller, larger : str
        Names of the variants.
    sizes : list of Size
        Of the smaller and of the larger.
    n : int
        Common seeds.
    difference : float or None
        Mean of the smaller minus that of the larger, by the metric.
    worst : float or None
        The end of its one-sided 95 % interval on the side of what is worse; None for fewer than
        two seeds.
    margin : float
        The largest difference that doesn't matter.
    p, p_holm : float or None
        That the smaller is worse by the margin or more; corrected for the other tests. None for
        fewer than three seeds.
    """

    smaller: str
    larger: str
    sizes: list[Size]
    n: int
    difference: float | None
    worst: float | None
    margin: float
    p: float | None
    p_holm: float | None = None

    @property
    def shown(self) -> bool:
        """Whether the smaller is shown to be no worse, at 0.05."""
        return self.p_holm is not None and self.p_holm < ALPHA

    def as_json(self) -> dict[str, Any]:
        """Return the entry of ``comparison.json``."""
        return asdict(self) | {"shown": self.shown}


def no_worse_than(
    larger: Replicate,
    replicates: Sequence[Replicate],
    sizes: Mapping[str, Size],
    margin: float,
    chosen_from: int = 0,
    looks: Looks | None = None,
    compared: Sequence[Pair] = (),
) -> list[NoWorse]:
    """Return whether those variants that are smaller than one of them are no worse.

    Parameters
    ----------
    larger : Replicate
    replicates : sequence of Replicate
        All variants.
    sizes : dict of Size
        By variant.
    margin : float
        The largest difference that doesn't matter.
    chosen_from : int
        How many pairs might have been tested, where the runs have chosen ``larger``.
    looks : Looks, optional
        Of a study that grew.
    compared : sequence of Pair
        Pairs that were compared already, which needn't be done again.
    """
    known = {pair.a: pair for pair in compared if pair.b == larger.name}
    of_larger = sizes[larger.name]
    tests = [
        _test(
            known.get(own.name) or compare_pair(own, larger, margin, looks),
            [sizes[own.name], of_larger],
        )
        for own in replicates
        if sizes[own.name].is_smaller_than(of_larger)
    ]
    corrected = holm([test.p for test in tests], chosen_from if tests else 0)
    if looks and max(len(tests), chosen_from) == 1:
        corrected = [looks.p_alone_of_equivalence(p) for p in corrected]
    return [replace(test, p_holm=p) for test, p in zip(tests, corrected, strict=True)]


def _test(pair: Pair, sizes: list[Size]) -> NoWorse:
    confidence = pair.looks.confidence_of_equivalence(pair.n) if pair.looks else 1 - 2 * ALPHA
    estimate, p = _worse(pair, pair.n), None
    if pair.n >= FEWEST:
        p = _p(pair, pair.n)
        if pair.looks:
            p = pair.looks.p(partial(_p, pair), pair.n, of_equivalence=True)
    return NoWorse(
        smaller=pair.a,
        larger=pair.b,
        sizes=sizes,
        n=pair.n,
        difference=pair.difference["mean"],
        worst=pair.metric.rank(estimate.ends(confidence)[1]) if estimate else None,
        margin=pair.margin,
        p=p,
    )


def _worse(pair: Pair, count: int) -> MeanEstimate | None:
    """Return by how much a is worse than b, over the first so many seeds."""
    worse = [pair.metric.rank(difference) for difference in pair.differences[:count]]
    return mean_estimate(worse, pair.least_variance, pair.folds)


def _p(pair: Pair, count: int) -> float | None:
    """Return p of the one-sided t test that this is below the margin.

    One half of two one-sided tests, see `sidebyside.analysis.equivalence.tost`.
    """
    estimate = _worse(pair, count)
    return None if estimate is None else estimate.p_below(pair.margin)
