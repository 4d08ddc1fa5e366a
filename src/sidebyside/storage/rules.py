"""Rules by which a study's seeds are added: which it was looked at by, and in which order."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sidebyside.storage import journal


def record_look(dataset: str, study: str, rule: Mapping[str, Any], keys: Sequence[str]) -> None:
    """Record in the journal that a study's runs are looked at, and by which rule."""
    journal.record("look", dataset, keys, _purpose(study) + json.dumps(rule, sort_keys=True))


def with_earlier(dataset: str, study: str, rule: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule with the others, ``before``, that the study was looked at by here, if any.

    A rule keeps its error rates where it was there before the results were.
    """
    texts = dict.fromkeys(
        entry.by.removeprefix(_purpose(study))
        for entry in journal.entries()
        if entry.event == "look"
        and entry.dataset == dataset
        and entry.by.startswith(_purpose(study))
    )
    before = [earlier for earlier in map(json.loads, texts) if earlier != rule]
    return {**rule, **({"before": before} if before else {})}


def _purpose(study: str) -> str:
    return f"study={study} until "
