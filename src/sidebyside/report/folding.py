"""What the report of many variants shows: the ends, what was asked about, and not the rest.

``comparison.json`` and ``runs.csv`` have all of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sidebyside.config.metrics import Metric

MOST = 40  # variants that are all shown
_ENDS = 10  # of more, so many of the best and of the worst
_IDENTICAL = 20  # groups of identical variants


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
    for pair in content["pairs"]:
        if pair.get("asked") == "named":
            wanted |= {pair["a"], pair["b"]}
    return [name for name in names if name in wanted]


def folded(content: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return what ``comparison.json`` has without what is of other variants than these."""
    kept = set(names)
    if len(kept) == len(content["variants"]):
        return dict(content)
    less = {
        "variants": [own for own in content["variants"] if own["name"] in kept],
        "pairs": [own for own in content["pairs"] if {own["a"], own["b"]} <= kept],
        "no_worse": [own for own in content["no_worse"] if own["smaller"] in kept],
        "identical": content["identical"][:_IDENTICAL],
    }
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
        f"{_ENDS} with the worst, the baseline, the one that is chosen by validation and those "
        "that the study names; comparison.json and runs.csv beside this page have all."
    )
