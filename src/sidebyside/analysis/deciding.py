"""Which variants need more seeds before a study's question is decided."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

from sidebyside.analysis.asked import asked_pairs
from sidebyside.analysis.effects.of_study import effects_of, equivalence_of
from sidebyside.analysis.identical import counted_once, identical_variants
from sidebyside.analysis.looks import Looks, looks_up_to
from sidebyside.analysis.metrics.replicate import Replicate
from sidebyside.analysis.pairs import Pair, compare_pairs
from sidebyside.analysis.tables import replicates_of, variants
from sidebyside.config.schema import Study
from sidebyside.storage.evidence import Evidence


@dataclass(frozen=True)
class Progress:
    """How far a study's question is decided.

    Attributes
    ----------
    open : list of str
        The variants that need the seeds of the next look.
    decided, asked : int
        Comparisons that are decided, of all: those with a variant that is out of the race among
        them.
    out : list of str
        Variants that are out of the race.
    """

    open: list[str]
    decided: int
    asked: int
    out: list[str] = field(default_factory=list)


def progress(evidence: Evidence, study: Study) -> Progress:
    """Return what is decided by a look at all runs so far.

    Of variants against a baseline, and of a pair, each comparison on its own: better, worse,
    equivalent or identical. Without a baseline variants race: who is shown to be worse than another
    that is still in it is out, and those that remain are compared with each other. Factors are
    decided together, as each of them needs all variants.

    Parameters
    ----------
    evidence : Evidence
        Its ``stopping`` rule says which looks there are.
    study : Study
    """
    if study.question == "factors":
        return _of_factors(evidence, study)
    replicates = list(replicates_of(evidence).values())
    seeds = {replicate.name: replicate.seeds for replicate in replicates}
    kept = counted_once(seeds, identical_variants(evidence.runs), study.baseline)
    looks = looks_up_to(study.max_seeds)
    if study.question == "variants" and not study.baseline:
        return race([own for own in replicates if own.name in kept], study.margin, looks)
    asked = asked_pairs(study.stopping(), kept, study.baseline or "")
    assert asked is not None
    return of_pairs(compare_pairs(replicates, asked, study.margin, looks=looks))


def of_pairs(pairs: Sequence[Pair]) -> Progress:
    """Return how far comparisons are decided, each on its own."""
    undecided = [pair for pair in pairs if pair.verdict == "can't tell"]
    names = dict.fromkeys(name for pair in undecided for name in (pair.a, pair.b))
    return Progress(list(names), len(pairs) - len(undecided), len(pairs))


def race(replicates: Sequence[Replicate], margin: float, looks: Looks) -> Progress:
    """Return who is still in a race of variants, and not told from another that is."""
    names = [replicate.name for replicate in replicates]
    pairs = compare_pairs(replicates, list(combinations(names, 2)), margin, looks=looks)
    out = {pair.a for pair in pairs if pair.verdict == "worse"}
    out |= {pair.b for pair in pairs if pair.verdict == "better"}
    left = of_pairs([pair for pair in pairs if not {pair.a, pair.b} & out])
    decided = len(pairs) - left.asked + left.decided
    return Progress(left.open, decided, len(pairs), sorted(out, key=names.index))


def _of_factors(evidence: Evidence, study: Study) -> Progress:
    effects = effects_of(evidence, study)
    decided = [entry.equivalent for entry in equivalence_of(evidence, study, effects)]
    decided += [
        effects.is_told(effect, study.margin)
        for effect in effects.main
        if effect.factor not in study.expected_equal
    ]
    return Progress([] if all(decided) else variants(evidence), sum(decided), len(decided))
