"""What the factors of a study do, and which of their levels make no difference."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

from sidebyside.analysis.effects.effects import effects
from sidebyside.analysis.effects.estimates import Effects
from sidebyside.analysis.equivalence import LevelEquivalence, compare_levels, corrected
from sidebyside.analysis.looks import looks_of
from sidebyside.analysis.power import FEWEST
from sidebyside.analysis.tables import (
    equivalence_table,
    factor_table,
    in_step,
    least_variance_of,
    scores_of,
    variants,
)
from sidebyside.config.factors import Level
from sidebyside.config.schema import Study
from sidebyside.errors import UserError
from sidebyside.storage.evidence import Evidence


def effects_of(evidence: Evidence, study: Study) -> Effects:
    """Return what the factors of a study do, nothing before its variants have a seed in common.

    Nothing either where one factor alone varies and pairs of variants, which are what it does, are
    tested otherwise: in a larger family, from three seeds on, or at looks of their own.
    """
    kept, factors = in_step(evidence), list(evidence.runs[0].factors)
    if not kept.runs or _by_pairs(kept, factors):
        return Effects([], [], [])
    return effects(
        factor_table(kept),
        factors,
        scores=scores_of(kept.runs, evidence) if evidence.folds == 1 else None,
        least_variance=least_variance_of(evidence),
        expected_equal=study.expected_equal,
        looks=looks_of(evidence.stopping),
        folds=evidence.folds,
    )


def _by_pairs(evidence: Evidence, factors: Sequence[str]) -> bool:
    """Whether pairs of variants alone tell what the only factor does that varies.

    Those of two levels are one pair, so where seeds are missing the effect, to which each run
    counts, would be another test of the same difference.
    """
    counts = [len({str(run.factors[own]) for run in evidence.runs}) for own in factors]
    varying = [count for count in counts if count > 1]
    if len(varying) != 1:
        return False
    rule = evidence.stopping or {}
    at_looks = rule.get("until") == "decided" and rule.get("question") != "factors"
    seeds = [{run.seed for run in evidence.of_variant(name)} for name in variants(evidence)]
    in_pairs = all(own == seeds[0] for own in seeds)
    return varying[0] > 2 or len(seeds[0]) < FEWEST or not in_pairs or at_looks


def equivalence_of(evidence: Evidence, study: Study, found: Effects) -> list[LevelEquivalence]:
    """Return the levels of factors that were expected to make no difference, pair by pair.

    None before the variants have a seed in common. Averages that interactions contradict, of those
    that were ``found``, say so.

    Raises
    ------
    UserError
        If the study names a factor that it doesn't have.
    """
    kept = in_step(evidence)
    if not kept.runs:
        return []
    entries = []
    for factor in study.expected_equal:
        if factor not in evidence.runs[0].factors:
            raise UserError(
                f"study.expected_equal names {factor}, which is no factor of this study: its "
                f"factors are {', '.join(evidence.runs[0].factors) or 'none'}."
            )
        levels: list[Level] = list(dict.fromkeys(run.factors[factor] for run in evidence.runs))
        entries += [_compared(kept, study, factor, pair) for pair in combinations(levels, 2)]
    return [
        replace(entry, contradicted_by=_unlike(kept, study, entry, found))
        for entry in corrected(entries, looks_of(evidence.stopping))
    ]


def _compared(
    evidence: Evidence, study: Study, factor: str, pair: tuple[Level, Level]
) -> LevelEquivalence:
    table, looks = equivalence_table(evidence), looks_of(evidence.stopping)
    least = least_variance_of(evidence)
    return compare_levels(table, factor, pair, study.margin, least, looks, evidence.folds)


def _unlike(evidence: Evidence, study: Study, entry: LevelEquivalence, found: Effects) -> list[str]:
    """Return the factors at some level of which two levels aren't shown to be equivalent.

    Of those with which their difference is shown to interact.
    """
    first, second = entry.levels

    def equivalent_at(factor: str, level: Level) -> bool:
        runs = [run for run in evidence.runs if run.factors[factor] == level]
        at_level = replace(evidence, runs=runs)
        return _compared(at_level, study, entry.factor, (first, second)).equivalent

    return [
        factor
        for factor in dict.fromkeys(found.interacting(entry.factor, entry.levels))
        if not all(
            equivalent_at(factor, level)
            for level in dict.fromkeys(run.factors[factor] for run in evidence.runs)
        )
    ]
