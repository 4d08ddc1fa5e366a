"""What a study that grew was asked, which its report answers and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

from sidebyside.config.schema import Study


def as_asked(study: Study, rule: Mapping[str, Any] | None) -> Study:
    """Return a study with the margin and the baseline that its seeds were added by."""
    if rule is None or rule["until"] != "decided":
        return study
    of_pair = isinstance(rule["question"], list)
    baseline = rule["question"][1] if of_pair else rule["baseline"]
    return replace(study, margin=rule["margin"], baseline=baseline)


def asked_pairs(
    rule: Mapping[str, Any] | None, names: Sequence[str], baseline: str
) -> list[tuple[str, str]] | None:
    """Return the pairs of variants that a rule decides, None where it decides none in particular.

    The correction for many tests takes account of these pairs, when seeds are added and in the
    report, so that both come to the same verdicts.

    Parameters
    ----------
    rule : dict or None
        See `sidebyside.config.schema.Study.stopping`.
    names : sequence of str
        The variants, of identical ones only the first.
    baseline : str
        It comes second in its pairs.
    """
    if rule is None or rule["until"] != "decided" or rule["question"] == "factors":
        return None
    if isinstance(rule["question"], list):
        a, b = rule["question"]
        return [(a, b)]
    others = [name for name in names if name != baseline]
    against = [(name, baseline) for name in others]
    return against if rule["baseline"] else against + list(combinations(others, 2))
