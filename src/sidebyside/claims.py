"""What a report claims: each definite finding, as numbers and in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sidebyside.factors import level_text

SIGNIFICANT = 0.05  # after Holm's correction
Kind = Literal["main effect", "interaction", "pair", "equivalence", "equivalent pair"]

_NAMED_BY = {  # what tells one entry of ``comparison.json`` from the others of its kind
    "main effect": ("factor", "level", "reference"),
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
        "main effect", "interaction" or "pair": a difference that isn't zero; "equivalence" (of two
        levels) or "equivalent pair" (of variants): one within the margin.
    subject : dict
        What it is about: the entries of ``comparison.json`` that name it.
    difference : float
        As the report has it, points; the claim is of its sign, where it claims a difference.
    text : str
        As the report says it, without a full stop.
    """

    kind: Kind
    subject: dict[str, Any]
    difference: float
    text: str

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


def claims(content: Mapping[str, Any], confounded: bool) -> list[Claim]:
    """Return all that a report claims.

    What it can't tell is no claim, and neither is what describes its own runs without a test: the
    choice by validation error, the ensembles, the power, the disputed labels, the same weights in
    both layouts.

    Parameters
    ----------
    content : dict
        The statistics, as ``comparison.json`` has them.
    confounded : bool
        Whether nothing is said of factors, see `sidebyside.analysis.Analysis`.
    """
    effects = {"main": [], "interactions": []} if confounded else content["effects"]
    found = [
        *(of_main_effect(entry) for entry in effects["main"]),
        *(of_interaction(entry) for entry in effects["interactions"]),
        *(of_equivalence(entry) for entry in content["equivalence"]),
        *(of_pair(entry) for entry in content["pairs"]),
    ]
    return [claim for claim in found if claim]


def of_main_effect(entry: Mapping[str, Any]) -> Claim | None:
    """Return e.g. "kernel_size 5 is better than 3 by 0.21 points [0.10, 0.32]", or None."""
    if not _told_apart(entry):
        return None
    level, reference = level_text(entry["level"]), level_text(entry["reference"])
    difference, low, high = entry["difference"], entry["low"], entry["high"]
    if difference > 0:
        level, reference = reference, level
    else:
        low, high = -high, -low
    text = (
        f"{entry['factor']} {level} is better than {reference} by {abs(difference):.2f} points "
        f"[{low:.2f}, {high:.2f}]"
    )
    return _claim("main effect", entry, difference, text)


def of_interaction(entry: Mapping[str, Any]) -> Claim | None:
    """Return what an interaction claims, None where it isn't shown."""
    if not _told_apart(entry):
        return None
    (first, second), levels, references = entry["factors"], entry["levels"], entry["references"]
    difference, low, high, than = entry["difference"], entry["low"], entry["high"], "larger"
    if difference < 0:
        difference, low, high, than = -difference, -high, -low, "smaller"
    text = (
        f"{first} and {second} interact: the difference between {first} {level_text(levels[0])} "
        f"and {level_text(references[0])} is {difference:.2f} points [{low:.2f}, {high:.2f}] "
        f"{than} at {second} {level_text(levels[1])} than at {level_text(references[1])}"
    )
    return _claim("interaction", entry, entry["difference"], text)


def of_equivalence(entry: Mapping[str, Any]) -> Claim | None:
    """Return e.g. "adam and sgd are equivalent within 0.1 points", None where it isn't shown."""
    if not entry["equivalent"]:
        return None
    a, b = (level_text(level) for level in entry["levels"])
    text = f"{a} and {b} are equivalent within {entry['margin']:g} points"
    return _claim("equivalence", entry, entry["difference"], text)


def of_pair(entry: Mapping[str, Any]) -> Claim | None:
    """Return what a pair of variants claims, None where the report can't tell them apart."""
    if entry["verdict"] == "can't tell":
        return None
    kind: Kind = "equivalent pair" if entry["verdict"] == "equivalent" else "pair"
    return _claim(kind, entry, entry["difference"]["mean"], entry["statement"])


def _told_apart(entry: Mapping[str, Any]) -> bool:
    return entry["p_holm"] is not None and entry["p_holm"] < SIGNIFICANT


def _claim(kind: Kind, entry: Mapping[str, Any], difference: float, text: str) -> Claim:
    return Claim(kind, {name: entry[name] for name in _NAMED_BY[kind]}, difference, text)


def _negative(value: float | None) -> float | None:
    return None if value is None else -value
