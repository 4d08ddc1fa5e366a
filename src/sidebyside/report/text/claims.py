"""What a report claims: each definite finding, as numbers and in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sidebyside.analysis.analyse import Analysis
from sidebyside.report.text.findings import (
    of_equivalence,
    of_interaction,
    of_main_effect,
    of_pair,
    of_simple_effect,
    told_simple_effects,
)
from sidebyside.report.text.scale import Scale

Kind = Literal[
    "main effect", "simple effect", "interaction", "pair", "equivalence", "equivalent pair"
]

_NAMED_BY = {  # what tells one entry of ``comparison.json`` from the others of its kind
    "main effect": ("factor", "level", "reference"),
    "simple effect": ("factor", "level", "reference", "given", "at"),
    "interaction": ("factors", "levels", "references"),
    "pair": ("a", "b"),
    "equivalence": ("factor", "levels"),
    "equivalent pair": ("a", "b"),
}


@dataclass(frozen=True)
class Claim:
    """A definite finding.

    Attributes
    ----------
    kind : str
        "main effect", "simple effect", "interaction" or "pair": a difference that isn't zero;
        "equivalence" (of two levels) or "equivalent pair" (of variants): one within the margin,
        or none at all of networks that are the same bits.
    subject : dict
        What it is about: the entries of ``comparison.json`` that name it.
    difference : float
        As the report has it; the claim is of its sign, where it claims a difference.
    text : str
        As the report says it, without a full stop.
    identical : bool
        Whether it says that networks are the same, bit for bit.
    """

    kind: Kind
    subject: dict[str, Any]
    difference: float
    text: str
    identical: bool = False

    @property
    def of_equivalence(self) -> bool:
        """Whether it says that a difference is within the margin."""
        return self.kind in ("equivalence", "equivalent pair")

    def turned(
        self, difference: float | None, low: float | None, high: float | None
    ) -> tuple[float | None, float | None, float | None]:
        """Return a difference and its interval, turned so that a claimed one is positive."""
        if self.of_equivalence or self.difference >= 0:
            return difference, low, high
        return _negative(difference), _negative(high), _negative(low)

    def is_of(self, entry: Mapping[str, Any]) -> bool:
        """Whether an entry of ``comparison.json``, of the right list, is about the same."""
        return all(entry[name] == value for name, value in self.subject.items())


def claims(analysis: Analysis) -> list[Claim]:
    """Return all that a report claims.

    What it can't tell is no claim, and neither is what describes its own runs without a test: the
    choice by validation error, the ensembles, the power, the disputed labels, the same weights in
    both layouts.
    """
    content, effects, scale = analysis.content, analysis.effects, Scale(analysis.metric)
    simple = [entry for entries in told_simple_effects(effects) for entry in entries]
    definite = [
        *(
            _claim("main effect", entry, of_main_effect(entry, scale))
            for entry in analysis.main_effects
        ),
        *(_claim("simple effect", entry, of_simple_effect(entry, scale)) for entry in simple),
        *(
            _claim("interaction", entry, of_interaction(entry, scale))
            for entry in effects["interactions"]
        ),
        *(
            _claim("equivalence", entry, of_equivalence(entry, scale))
            for entry in content["equivalence"]
        ),
        *(_of_pair(entry, scale) for entry in content["pairs"]),
    ]
    return [claim for claim in definite if claim]


def _of_pair(entry: Mapping[str, Any], scale: Scale) -> Claim | None:
    """Return what a pair of variants claims, None where the report can't tell them apart."""
    if entry["verdict"] == "can't tell":
        return None
    kind: Kind = "pair" if entry["verdict"] in ("better", "worse") else "equivalent pair"
    difference = entry["difference"]["mean"]
    return _claim(kind, {**entry, "difference": difference}, of_pair(entry, scale))


def _claim(kind: Kind, entry: Mapping[str, Any], text: str | None) -> Claim | None:
    if text is None:
        return None
    named = {name: entry[name] for name in _NAMED_BY[kind]}
    identical = entry.get("verdict") == "identical"
    if kind == "equivalence":
        identical = entry["pairs"] == entry["identical"]
    return Claim(kind, named, entry["difference"] or 0.0, text, identical)


def _negative(value: float | None) -> float | None:
    return None if value is None else -value
