"""Variants that are one network under several names."""

from collections.abc import Mapping, Sequence

from sidebyside.storage.evidence import RunEvidence


def identical_variants(runs: Sequence[RunEvidence]) -> list[list[str]]:
    """Return groups of variants with the same weights, bit for bit, in all their common seeds.

    Dropout left out, a network trains to the same bits in both data formats, say. A group is in the
    order of the grid, and so are the groups; variants that are like no other aren't named.
    """
    weights: dict[str, dict[int, str]] = {}
    for run in runs:
        weights.setdefault(run.variant, {})[run.seed] = run.weights_digest
    groups: list[list[str]] = []
    holding: dict[tuple[int, str], list[int]] = {}  # which groups have these weights in this seed
    for variant, own in weights.items():
        like = {number for weighed in own.items() for number in holding.get(weighed, [])}
        for number in sorted(like):
            if all(_same(own, weights[other]) for other in groups[number]):
                groups[number].append(variant)
                break
        else:
            number = len(groups)
            groups.append([variant])
        for weighed in own.items():
            holding.setdefault(weighed, []).append(number)
    return [group for group in groups if len(group) > 1]


def counted_once(
    seeds: Mapping[str, Sequence[int]], groups: Sequence[Sequence[str]], kept: str | None
) -> list[str]:
    """Return variants, of each group only one: ``kept``, or the first of those with most seeds.

    Parameters
    ----------
    seeds : dict of sequence of int
        Of each variant's runs.
    groups : sequence of sequence of str
        Of identical variants.
    kept : str, optional
    """
    dropped: set[str] = set()
    for group in groups:
        one = kept if kept in group else max(group, key=lambda name: len(seeds[name]))
        dropped |= {*group} - {one}
    return [name for name in seeds if name not in dropped]


def _same(first: dict[int, str], second: dict[int, str]) -> bool:
    common = first.keys() & second.keys()
    return bool(common) and all(first[seed] == second[seed] for seed in common)
