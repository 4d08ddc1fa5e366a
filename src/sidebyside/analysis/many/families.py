"""Which pairs of variants are tested, and what each of them is corrected for.

All pairs of two thousand variants are two million tests, of which nobody reads one in a hundred. Of
more than twenty variants these are tested: each against the baseline; those that a study names; and
neighbours in the order of their means, which say where in that order something changes. What was
asked before anything was trained is one family of Holm's correction. Pairs that the runs have
chosen, neighbours always and those with a baseline that is chosen by validation, are another, in
which all pairs count that might have been chosen.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from sidebyside.analysis.looks import Looks
from sidebyside.analysis.metrics.replicate import Replicate
from sidebyside.analysis.pairs import Pair, compare_pairs
from sidebyside.config.schema import Study
from sidebyside.errors import UserError

ALL_PAIRS = 20  # variants; of more, pairs are chosen

Names = tuple[str, str]


@dataclass(frozen=True)
class Family:
    """Pairs that are corrected together.

    Attributes
    ----------
    pairs : list of tuple of str
        By the names of the variants.
    chosen_from : int
        How many pairs the runs have chosen these from; 0 where they were asked about.
    """

    pairs: list[Names]
    chosen_from: int = 0

    @property
    def size(self) -> int:
        """How many tests the correction takes account of."""
        return max(len(self.pairs), self.chosen_from)


@dataclass(frozen=True)
class Asked:
    """The pairs that are tested in a study.

    Attributes
    ----------
    families : list of Family
        The first is that of the pairs with the baseline.
    why : dict of str
        Of each pair of a study of many variants, "baseline", "named" or "neighbours"; of others
        nothing, as all pairs are tested.
    variants : int
        How many are held against each other.
    named : tuple of str
        The variants that the study names pairs of, whatever else these pairs are.
    """

    families: list[Family]
    why: dict[Names, str]
    variants: int
    named: tuple[str, ...] = ()

    def compare(
        self, replicates: Sequence[Replicate], margin: float, looks: Looks | None
    ) -> list[Pair]:
        """Return all pairs compared, those with the baseline first."""
        return [
            pair
            for family in self.families
            for pair in compare_pairs(replicates, family.pairs, margin, family.chosen_from, looks)
        ]

    def as_json(self) -> dict[str, Any]:
        """Return what ``comparison.json`` has of named pairs, and of a study of many variants."""
        named = {"named": list(self.named)} if self.named else {}
        if not self.why:
            return named
        counts = dict.fromkeys(("baseline", "named", "neighbours"), 0)
        for kind in self.why.values():
            counts[kind] += 1
        families = [
            {"pairs": len(own.pairs), "corrected_for": own.size, "chosen": own.chosen_from > 0}
            for own in self.families
        ]
        content = {"variants": self.variants, "all_pairs": math.comb(self.variants, 2)}
        return {"asked": content | counts | {"families": families}, **named}


def asked_of(
    study: Study, distinct: Sequence[Replicate], names: Sequence[str], baseline: str, chosen: bool
) -> Asked:
    """Return the pairs that are tested in a study without a rule that says which.

    Parameters
    ----------
    study : Study
    distinct : sequence of Replicate
        The variants, of identical ones only the first.
    names : sequence of str
        All variants.
    baseline : str
        It comes second in its pairs.
    chosen : bool
        Whether the runs have chosen it.

    Raises
    ------
    UserError
        If the study names a variant that it doesn't have.
    """
    named = _named(study, names)
    others = [own.name for own in distinct if own.name != baseline]
    against = [(name, baseline) for name in others]
    possible = math.comb(len(distinct), 2)
    ones = tuple(dict.fromkeys(name for pair in named for name in pair))
    if len(distinct) <= ALL_PAIRS:
        every = against + list(combinations(others, 2))
        return Asked([Family(every, possible if chosen else 0)], {}, len(distinct), ones)
    known: set[frozenset[str]] = {frozenset(pair) for pair in against}
    own = _further(named, known)
    beside = _further(_neighbours(distinct), known)
    if chosen:
        families = [Family(against + beside, possible), Family(own)]
    else:
        families = [Family(against + own), Family(beside, possible)]
    why = dict.fromkeys(against, "baseline") | dict.fromkeys(own, "named")
    why |= dict.fromkeys(beside, "neighbours")
    return Asked([family for family in families if family.pairs], why, len(distinct), ones)


def with_reasons(entry: Mapping[str, Any], pair: Pair, asked: Asked) -> dict[str, Any]:
    """Return the entry of a pair with why it was tested, where not all are."""
    if not asked.why:
        return dict(entry)
    return {**entry, "asked": asked.why[pair.a, pair.b], "corrected_for": pair.pairs}


def _named(study: Study, names: Sequence[str]) -> list[Names]:
    known = set(names)
    for name in (name for pair in study.pairs for name in pair):
        if name not in known:
            raise UserError(
                f"study.pairs names {name}, which is no variant of this study: they are called "
                f"like {names[0]}; runs.csv beside the report has all of them."
            )
    return [(a, b) for a, b in study.pairs]


def _neighbours(distinct: Sequence[Replicate]) -> list[Names]:
    """Return each variant with the next in the order of means, the better one first."""
    ranked = sorted(distinct, key=lambda own: own.metric.rank(float(np.mean(own.values))))
    return [(better.name, worse.name) for better, worse in pairwise(ranked)]


def _further(pairs: Sequence[Names], known: set[frozenset[str]]) -> list[Names]:
    """Return those pairs that aren't known yet, and know them from now on."""
    further = []
    for pair in pairs:
        if frozenset(pair) not in known:
            known.add(frozenset(pair))
            further.append(pair)
    return further
