"""What the factors of a study do, and which of their levels make no difference."""

from dataclasses import replace
from itertools import combinations

from sidebyside.analysis.effects.effects import effects
from sidebyside.analysis.effects.estimates import Effects
from sidebyside.analysis.equivalence import LevelEquivalence, compare_levels, corrected
from sidebyside.analysis.looks import looks_of
from sidebyside.analysis.tables import (
    equivalence_table,
    factor_table,
    in_step,
    least_variance_of,
    scores_of,
)
from sidebyside.config.factors import Level
from sidebyside.config.schema import Study
from sidebyside.errors import UserError
from sidebyside.storage.evidence import Evidence


def effects_of(evidence: Evidence, study: Study) -> Effects:
    """Return what the factors of a study do, nothing before its variants have a seed in common.

    Nothing either where one factor alone varies, in more than two levels: what it does are pairs of
    variants, which would be tested twice, in two families.
    """
    kept = in_step(evidence)
    counts = [len({str(run.factors[own]) for run in kept.runs}) for own in _factors(evidence)]
    varying = [count for count in counts if count > 1]
    if not kept.runs or (len(varying) == 1 and varying[0] > 2):
        return Effects([], [], [])
    return effects(
        factor_table(kept),
        _factors(evidence),
        scores=scores_of(kept.runs, evidence) if evidence.folds == 1 else None,
        least_variance=least_variance_of(evidence),
        expected_equal=study.expected_equal,
        looks=looks_of(evidence.stopping),
        folds=evidence.folds,
    )


def equivalence_of(evidence: Evidence, study: Study, found: Effects) -> list[LevelEquivalence]:
    """Return the levels of factors that were expected to make no difference, pair by pair.

    None before the variants have a seed in common. By what was ``found`` of the factors, averages
    are told that interactions contradict.

    Raises
    ------
    UserError
        If the study names a factor that it doesn't have.
    """
    kept = in_step(evidence)
    if not kept.runs:
        return []
    table = equivalence_table(kept)
    looks = looks_of(evidence.stopping)
    least, entries = least_variance_of(evidence), []
    for factor in study.expected_equal:
        if factor not in evidence.runs[0].factors:
            raise UserError(
                f"study.expected_equal names {factor}, which is no factor of this study: its "
                f"factors are {', '.join(evidence.runs[0].factors) or 'none'}."
            )
        levels: list[Level] = list(dict.fromkeys(run.factors[factor] for run in evidence.runs))
        entries += [
            compare_levels(table, factor, pair, study.margin, least, looks, evidence.folds)
            for pair in combinations(levels, 2)
        ]
    return [
        replace(entry, contradicted_by=found.unlike(entry.factor, entry.levels, study.margin))
        for entry in corrected(entries)
    ]


def _factors(evidence: Evidence) -> list[str]:
    return list(evidence.runs[0].factors)
