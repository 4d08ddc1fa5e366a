"""What the report of many variants shows: the ends, what was asked about, and not the rest.

``comparison.json`` and ``runs.csv`` have all of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sidebyside.config.metrics import Metric

MOST = 40  # variants that are all shown
_ENDS = 10  # of more, so many of the best and of the worst


def by_rank(variants: Sequence[Mapping[str, Any]], metric: Metric) -> list[Mapping[str, Any]]:
    """Return entries of ``comparison.json``, the best variant first."""
    return sorted(variants, key=lambda own: metric.rank(own[metric.name]["mean"]))


def shown(content: Mapping[str, Any], baseline: str, metric: Metric) -> list[str]:
    """Return the variants that are shown, the best first.

    Parameters
    ----------
    content : dict
        What ``comparison.json`` has.
    baseline : str
        It is shown wherever it is.
    metric : Metric
    """
    names = [variant["name"] for variant in by_rank(content["variants"], metric)]
    if len(names) <= MOST:
        return names
    chosen = content["selection"] and content["selection"]["chosen"]
    wanted = {baseline, chosen, *names[:_ENDS], *names[-_ENDS:]}
    wanted.update(content.get("named", ()))
    question = content.get("stopping", {}).get("question")
    if isinstance(question, list):  # the pair that seeds were added for
        wanted.update(question)
    compared = {name for pair in content["pairs"] for name in (pair["a"], pair["b"])}
    for group in content["identical"]:
        if not wanted.isdisjoint(group):  # its row against the baseline is of the one compared
            wanted |= compared.intersection(group)
    return [name for name in names if name in wanted]


def folded(content: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return what ``comparison.json`` has without what is of other variants than these.

    ``other_groups`` is the number of groups of identical variants that hold none of these.
    """
    kept = set(names)
    if len(kept) == len(content["variants"]):
        return {**content, "other_groups": 0}
    less: dict[str, Any] = {
        "variants": [own for own in content["variants"] if own["name"] in kept],
        "pairs": [own for own in content["pairs"] if {own["a"], own["b"]} <= kept],
        "no_worse": [own for own in content["no_worse"] if own["smaller"] in kept],
        "identical": [group for group in content["identical"] if not kept.isdisjoint(group)],
    }
    less["other_groups"] = len(content["identical"]) - len(less["identical"])
    for part in ("ensemble", "floor"):
        if content[part] is not None:
            entries = [own for own in content[part]["variants"] if own["variant"] in kept]
            less[part] = content[part] | {"variants": entries}
    return {**content, **less}


def of_folding(shown: int, variants: int) -> str:
    """Return a sentence on what is shown, nothing where that is all."""
    if shown == variants:
        return ""
    return (
        f"Of {variants} variants {shown} are shown: the {_ENDS} with the best means and the "
        f"{_ENDS} with the worst, the baseline, the one that is chosen by validation, those that "
        "the study names and, of a network under several names, the one that is compared; "
        "comparison.json and runs.csv beside this page have all, and comparison.json each group of "
        "identical ones."
    )
