"""The claims of a report, tested again on runs with fresh seeds alone."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sidebyside.analysis.analyse import equivalence_table, factor_table, replicate_of
from sidebyside.analysis.effects import Effects, effects
from sidebyside.analysis.equivalence import Equivalence, compare_levels, tost
from sidebyside.analysis.intervals import ROUNDING, rounding_variance
from sidebyside.analysis.multiplicity import holm
from sidebyside.analysis.pairs import compare_pair
from sidebyside.report.claims import Claim
from sidebyside.report.statements import SIGNIFICANT
from sidebyside.storage.evidence import Evidence

Answer = Literal["holds", "fails", "underpowered"]
_EFFECTS = {"main effect": "main", "simple effect": "simple", "interaction": "interactions"}


@dataclass(frozen=True)
class ClaimVerdict:
    """What fresh runs say of a claim.

    Attributes
    ----------
    claim : Claim
    verdict : str
        "holds": the fresh runs by themselves show it again; "fails": they show the contrary;
        "underpowered": neither.
    n : int
        Fresh seeds.
    difference, low, high : float or None
        By the fresh runs, points; the interval is 95 %, of an equivalence 90 %.
    p_holm : float or None
        Corrected over the claims of its kind; of an equivalence the larger of its two one-sided p
        values.
    """

    claim: Claim
    verdict: Answer
    n: int
    difference: float | None
    low: float | None
    high: float | None
    p_holm: float | None

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class _Fresh:
    """A claim's difference by the fresh runs, points, with interval and p not yet corrected."""

    n: int
    difference: float | None
    low: float | None
    high: float | None
    p: float | None


def retest(claims: Sequence[Claim], fresh: Evidence, margin: float) -> list[ClaimVerdict]:
    """Return a verdict for each claim, by the methods of the report.

    Effects by `sidebyside.analysis.effects.effects` with the seed as the cluster, pairs by the
    paired t test, equivalence by two one-sided tests. As the claims were made before the fresh
    runs were, and on other runs, nothing but the claims is tested: p values are corrected after
    Holm over the claims of each kind, as the report does over all that it tests.

    A claimed difference holds if it has the claimed sign, its 95 % interval excludes zero and the
    corrected p value is below 0.05. It fails if that interval has no value of the claimed sign, or,
    where the report claims more than the margin, none above the margin; no correction makes it
    harder to fail. A claimed equivalence holds if both one-sided p values are
    below 0.05, and fails if the 90 % interval is wholly outside the margin.

    Parameters
    ----------
    claims : sequence of Claim
    fresh : Evidence
        Of runs of every variant that a claim is about, see
        `sidebyside.verify.fresh_seeds.variants_of`.
    margin : float
        Largest difference that doesn't matter, points.
    """
    found = _measured(claims, fresh, margin)
    p_holm = _corrected(claims, found)
    return [
        ClaimVerdict(
            claim=claim,
            verdict=_answer(claim, one, p, margin),
            n=one.n,
            difference=one.difference,
            low=one.low,
            high=one.high,
            p_holm=p,
        )
        for claim, one, p in zip(claims, found, p_holm, strict=True)
    ]


def _measured(claims: Sequence[Claim], fresh: Evidence, margin: float) -> list[_Fresh]:
    of_factors = None
    if any(claim.kind in _EFFECTS for claim in claims):
        of_factors = effects(
            factor_table(fresh),
            list(fresh.runs[0].factors),
            least_variance=rounding_variance(len(fresh.target)),
        )
    seeds = len({run.seed for run in fresh.runs})
    found = []
    for claim in claims:
        if of_factors is not None and claim.kind in _EFFECTS:
            found.append(_of_effect(claim, of_factors, seeds))
        elif claim.kind == "equivalence":
            found.append(_of_levels(claim, fresh, margin))
        else:
            found.append(_of_pair(claim, fresh, margin))
    return found


def _of_effect(claim: Claim, found: Effects, seeds: int) -> _Fresh:
    entries = getattr(found, _EFFECTS[claim.kind])
    entry = next(entry for one in entries if claim.is_of(entry := one.as_json()))
    return _Fresh(seeds, entry["difference"], entry["low"], entry["high"], entry["p"])


def _of_levels(claim: Claim, fresh: Evidence, margin: float) -> _Fresh:
    factor, (a, b) = claim.subject["factor"], claim.subject["levels"]
    least = rounding_variance(len(fresh.target))
    found = compare_levels(equivalence_table(fresh), factor, (a, b), margin, least)
    if found.all_identical:  # bit for bit again: nothing is left to test
        return _Fresh(found.pairs, 0.0, 0.0, 0.0, 0.0)
    return _of_equivalence(found.test)


def _of_pair(claim: Claim, fresh: Evidence, margin: float) -> _Fresh:
    a, b = (replicate_of(fresh, claim.subject[name]) for name in ("a", "b"))
    pair = compare_pair(a, b, margin)
    if claim.of_equivalence:
        return _of_equivalence(tost(pair.differences, margin, pair.least_variance))
    ends = pair.difference
    return _Fresh(pair.n, ends["mean"], ends["low"], ends["high"], pair.p)


def _of_equivalence(found: Equivalence) -> _Fresh:
    return _Fresh(found.n, found.difference, found.low, found.high, found.p)


def _corrected(claims: Sequence[Claim], found: Sequence[_Fresh]) -> list[float | None]:
    """Return the p values, those of each kind corrected over that kind."""
    p_values = [one.p for one in found]
    for kind in {claim.kind for claim in claims}:
        family = [number for number, claim in enumerate(claims) if claim.kind == kind]
        for number, p in zip(family, holm([found[one].p for one in family]), strict=True):
            p_values[number] = p
    return p_values


def _answer(claim: Claim, found: _Fresh, p: float | None, margin: float) -> Answer:
    _, low, high = claim.turned(found.difference, found.low, found.high)
    if low is None or high is None or p is None:
        return "underpowered"
    if claim.of_equivalence:
        if p < SIGNIFICANT:
            return "holds"
        return "fails" if low >= margin or high <= -margin else "underpowered"
    if low > 0 and p < SIGNIFICANT:
        return "holds"
    too_small = abs(claim.difference) > margin > high
    return "fails" if too_small or high <= ROUNDING else "underpowered"
