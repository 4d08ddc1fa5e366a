"""Whether what factors do in one study is what they do in another, of other images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from sidebyside.analysis.effects.estimates import (
    Effects,
    Estimate,
    Interaction,
    MainEffect,
    SimpleEffect,
)
from sidebyside.config.factors import Level
from sidebyside.storage.evidence import Evidence

Kind = TypeVar("Kind", MainEffect, SimpleEffect, Interaction)
Told = Literal["shown", "none", "can't tell"]
Verdict = Literal["carries over", "turns round", "doesn't carry over", "can't tell"]


@dataclass(frozen=True)
class Carried:
    """The same effect in two studies.

    Attributes
    ----------
    of : MainEffect, SimpleEffect or Interaction
        What it is of, as the first study has it.
    first, second : Estimate
    margin : float
        The largest difference that doesn't matter; 0 where none is said to be too small.
    """

    of: MainEffect | SimpleEffect | Interaction
    first: Estimate
    second: Estimate
    margin: float

    @property
    def verdict(self) -> Verdict:
        """Whether the second study comes to what the first did.

        A difference carries over if both show it the same way, and so does that there is none
        beyond the margin. It turns round if both show it, in opposite directions. It doesn't carry
        over if one shows it and the other that there is none. Else one of them can't tell.
        """
        first, second = self.told(self.first), self.told(self.second)
        if "can't tell" in (first, second):
            return "can't tell"
        if first != second:
            return "doesn't carry over"
        if first == "shown" and _sign(self.first) != _sign(self.second):
            return "turns round"
        return "carries over"

    def told(self, estimate: Estimate) -> Told:
        """Return what a study tells: a difference, none beyond the margin, or neither."""
        if estimate.shown:
            return "shown"
        if estimate.within(self.margin):
            return "none"
        return "can't tell"


def carried_factors(first: Effects, second: Effects, margin: float) -> dict[str, list[Carried]]:
    """Return by factor what it does in both studies.

    That is its main effects; where in either study the average over another factor says nothing of
    that factor's levels, the simple effects at each of these in its place.
    """
    found: dict[str, list[Carried]] = {}
    for one, other in _pairs(first.main, second.main):
        given = list(dict.fromkeys([*one.contradicted_by, *other.contradicted_by]))
        rows = [
            Carried(at, at.estimate, same.estimate, margin)
            for at, same in _pairs(first.simple, second.simple)
            if (at.factor, at.level) == (one.factor, one.level) and at.given in given
        ]
        main = Carried(one, one.estimate, other.estimate, margin)
        found.setdefault(one.factor, []).extend(rows or [main])
    return found


def carried_interactions(first: Effects, second: Effects) -> list[Carried]:
    """Return the interactions that either study shows, in both."""
    return [
        Carried(one, one.estimate, other.estimate, 0)
        for one, other in _pairs(first.interactions, second.interactions)
        if one.estimate.shown or other.estimate.shown
    ]


def at_level(evidence: Evidence, factor: str, level: Level) -> Evidence:
    """Return the part of evidence at one level of a factor, which is none there any more.

    Evidence without such a factor stays as it is.
    """
    runs = [
        replace(run, factors={name: own for name, own in run.factors.items() if name != factor})
        for run in evidence.runs
        if run.factors.get(factor, level) == level
    ]
    return replace(evidence, runs=runs)


def _pairs(first: Sequence[Kind], second: Sequence[Kind]) -> Iterator[tuple[Kind, Kind]]:
    """Return those effects that are of the same in both studies, in the order of the first."""
    by_name = {_name(effect): effect for effect in second}
    for effect in first:
        if _name(effect) in by_name:
            yield effect, by_name[_name(effect)]


def _name(effect: MainEffect | SimpleEffect | Interaction) -> str:
    named = {
        name: value
        for name, value in vars(effect).items()
        if name not in ("estimate", "contradicted_by")
    }
    return repr(named)


def _sign(estimate: Estimate) -> bool:
    assert estimate.difference is not None
    return estimate.difference > 0
