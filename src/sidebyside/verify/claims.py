"""The claims of a report, tested again on runs with fresh seeds alone."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sidebyside.analysis.analyse import analyse
from sidebyside.analysis.asked import as_asked
from sidebyside.analysis.effects.effects import effects
from sidebyside.analysis.effects.estimates import Effects
from sidebyside.analysis.equivalence import Equivalence, compare_levels, tost
from sidebyside.analysis.intervals import ROUNDING
from sidebyside.analysis.multiplicity import holm
from sidebyside.analysis.pairs import compare_pair
from sidebyside.analysis.tables import (
    equivalence_table,
    factor_table,
    least_variance_of,
    replicate_of,
)
from sidebyside.config.schema import Config, Study
from sidebyside.errors import UserError
from sidebyside.report.gathering import gather
from sidebyside.report.text.claims import Claim, claims
from sidebyside.report.text.findings import SIGNIFICANT
from sidebyside.storage import journal
from sidebyside.storage.evidence import Evidence
from sidebyside.verify.fresh_seeds import fresh_runs, train_fresh, variants_of
from sidebyside.verify.outcome import Outcome
from sidebyside.verify.test_set import looks_at

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
        By the fresh runs; the interval is 95 %, of an equivalence 90 %.
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
    """A claim's difference by the fresh runs, with interval and p not yet corrected.

    ``identical`` networks are the same again, bit for bit: then there is nothing to test.
    """

    n: int
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    identical: bool = False


def verify_claims(study: Study, base: Config, seeds: int | None) -> Outcome[ClaimVerdict]:
    """Test the claims of a study's report again on runs with fresh seeds.

    The claims are those of the comparison as it would be made now. A claim that the fresh runs
    neither show nor contradict doesn't count against the report: to show nothing is what too few
    runs do, and with as many runs as the study has, a true claim that was barely shown isn't shown
    again about every other time.

    Parameters
    ----------
    study : Study
    base : Config
        Of the study's dataset.
    seeds : int or None
        Fresh runs of each variant; None is as many as the study has.

    Raises
    ------
    UserError
        If the study has neither results nor evidence, or its variants can't be trained here.
    SystemExit
        With 130 after Ctrl-C or SIGTERM.
    """
    before = journal.entries()
    evidence = gather(base.dataset, study, allow_partial=True)
    if evidence.folds > 1:
        raise UserError(
            f"study={study.name} is a cross-validation, and fresh seeds would divide the same "
            "images anew, so their runs would be no test of its claims: train its variants under "
            "protocol=clean, as a study of another name."
        )
    study = as_asked(study, evidence.stopping)
    analysis = analyse(evidence, study, base.dataset.disputed)
    claimed = claims(analysis)
    verdicts = []
    if claimed:
        jobs = fresh_runs(evidence, variants_of(claimed, evidence), seeds, base)
        verdicts = retest(claimed, train_fresh(jobs, evidence, study), study.margin)
    answers = [verdict.verdict for verdict in verdicts]
    return Outcome(
        check="claims",
        passed="fails" not in answers,
        summary=_of_claims(answers),
        findings=verdicts,
        looks=looks_at(evidence, before),
    )


def _of_claims(answers: Sequence[str]) -> str:
    if not answers:
        return "The report claims nothing definite, so there is nothing to test."
    text = f"Of {len(answers)} claims {answers.count('holds')} hold, {answers.count('fails')} fail"
    if open_ones := answers.count("underpowered"):
        text += (
            f"; {open_ones} underpowered: so few fresh runs can't tell, --seeds N takes more of "
            "each variant"
        )
    return f"{text}."


def retest(claimed: Sequence[Claim], fresh: Evidence, margin: float) -> list[ClaimVerdict]:
    """Return a verdict for each claim, by the methods of the report.

    Effects by `sidebyside.analysis.effects.effects` with the seed as the cluster, pairs by the
    paired t test, equivalence by two one-sided tests. As the claims were made before the fresh
    runs were, and on other runs, nothing but the claims is tested: p values are corrected after
    Holm over the claims of each kind, as the report does over all that it tests.

    A claimed difference holds if it has the claimed sign, its 95 % interval excludes zero and the
    corrected p value is below 0.05. It fails if that interval has no value of the claimed sign, or,
    where the report claims more than the margin, none above the margin; no correction makes it
    harder to fail. A claimed equivalence holds if both one-sided p values are below 0.05, and fails
    if the 90 % interval is wholly outside the margin. Networks that are claimed to be the same, bit
    for bit, hold if all are again, else they fail.

    Parameters
    ----------
    claimed : sequence of Claim
    fresh : Evidence
        Of runs of every variant that a claim is about, see
        `sidebyside.verify.fresh_seeds.variants_of`.
    margin : float
        Largest difference that doesn't matter.
    """
    measured = _measured(claimed, fresh, margin)
    p_holm = _corrected(claimed, measured)
    return [
        ClaimVerdict(
            claim=claim,
            verdict=_answer(claim, effect, p, margin),
            n=effect.n,
            difference=effect.difference,
            low=effect.low,
            high=effect.high,
            p_holm=p,
        )
        for claim, effect, p in zip(claimed, measured, p_holm, strict=True)
    ]


def _measured(claimed: Sequence[Claim], fresh: Evidence, margin: float) -> list[_Fresh]:
    of_factors = None
    if any(claim.kind in _EFFECTS for claim in claimed):
        of_factors = effects(
            factor_table(fresh),
            list(fresh.runs[0].factors),
            least_variance=least_variance_of(fresh),
        )
    seeds = len({run.seed for run in fresh.runs})
    measured = []
    for claim in claimed:
        if of_factors is not None and claim.kind in _EFFECTS:
            measured.append(_of_effect(claim, of_factors, seeds))
        elif claim.kind == "equivalence":
            measured.append(_of_levels(claim, fresh, margin))
        else:
            measured.append(_of_pair(claim, fresh, margin))
    return measured


def _of_effect(claim: Claim, of_factors: Effects, seeds: int) -> _Fresh:
    estimates = getattr(of_factors, _EFFECTS[claim.kind])
    entry = next(entry for estimate in estimates if claim.is_of(entry := estimate.as_json()))
    return _Fresh(seeds, entry["difference"], entry["low"], entry["high"], entry["p"])


def _of_levels(claim: Claim, fresh: Evidence, margin: float) -> _Fresh:
    factor, (a, b) = claim.subject["factor"], claim.subject["levels"]
    least = least_variance_of(fresh)
    levels = compare_levels(equivalence_table(fresh), factor, (a, b), margin, least)
    if levels.all_identical:
        return _Fresh(levels.pairs, 0.0, 0.0, 0.0, 0.0, identical=True)
    return _of_equivalence(levels.test)


def _of_pair(claim: Claim, fresh: Evidence, margin: float) -> _Fresh:
    a, b = (replicate_of(fresh, claim.subject[name]) for name in ("a", "b"))
    pair = compare_pair(a, b, margin)
    if claim.of_equivalence and pair.identical:
        return _Fresh(pair.n, 0.0, 0.0, 0.0, 0.0, identical=True)
    if claim.of_equivalence:
        return _of_equivalence(tost(pair.differences, margin, pair.least_variance))
    ends = pair.difference
    return _Fresh(pair.n, ends["mean"], ends["low"], ends["high"], pair.p)


def _of_equivalence(test: Equivalence) -> _Fresh:
    return _Fresh(test.n, test.difference, test.low, test.high, test.p)


def _corrected(claimed: Sequence[Claim], measured: Sequence[_Fresh]) -> list[float | None]:
    """Return the p values, those of each kind corrected over that kind."""
    p_values = [effect.p for effect in measured]
    for kind in {claim.kind for claim in claimed}:
        family = [number for number, claim in enumerate(claimed) if claim.kind == kind]
        corrected = holm([measured[number].p for number in family])
        for number, p in zip(family, corrected, strict=True):
            p_values[number] = p
    return p_values


def _answer(claim: Claim, effect: _Fresh, p: float | None, margin: float) -> Answer:
    if claim.identical:
        return "holds" if effect.identical else "fails"
    _, low, high = claim.turned(effect.difference, effect.low, effect.high)
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
