"""Estimates of what factors do: main effects, interactions and simple effects."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sidebyside.analysis.power import ALPHA, more_pairs
from sidebyside.analysis.resampled.correction import effective
from sidebyside.config.factors import Level


@dataclass(frozen=True)
class Estimate:
    """A difference of values by the metric, with its 95 % interval and test over seeds.

    All are None where the design can't tell the effect from others; all but the difference also
    where fewer than two seeds, or what a single seed determines, leave nothing to judge noise by.

    Attributes
    ----------
    difference, low, high, standard_error : float or None
    degrees_of_freedom, p, p_holm : float or None
        Those of Student's t; p_holm is corrected over the effect's family.
    seeds_and_images : dict or None
        "low" and "high" for new seeds and new images together.
    n, family : int
        Seeds, and effects that Holm's correction takes account of.
    folds : int
        As in `sidebyside.analysis.intervals.mean_estimate`.
    """

    difference: float | None = None
    low: float | None = None
    high: float | None = None
    standard_error: float | None = None
    degrees_of_freedom: float | None = None
    p: float | None = None
    p_holm: float | None = None
    seeds_and_images: dict[str, float] | None = None
    n: int = 0
    family: int = 0
    folds: int = 1

    @property
    def more_seeds(self) -> int | None:
        """How many more would show it with 80 % power, were the difference as seen.

        At the level of the first step of Holm's correction; None where it is shown or isn't tested.
        """
        if self.p_holm is None or self.shown:
            return None
        assert self.difference is not None
        assert self.standard_error is not None
        sd = self.standard_error * effective(self.n, self.folds) ** 0.5
        return more_pairs(self.difference, sd, self.n, ALPHA / self.family, self.folds)

    def as_json(self) -> dict[str, Any]:
        """Return the numbers of an entry of ``comparison.json``."""
        numbers = {name: own for name, own in asdict(self).items() if name != "folds"}
        return numbers | {"more_seeds": self.more_seeds}

    @property
    def shown(self) -> bool:
        """Whether the corrected test shows a difference."""
        return self.p_holm is not None and self.p_holm < ALPHA

    def within(self, margin: float) -> bool:
        """Whether the interval over seeds says that it doesn't matter."""
        if self.low is None or self.high is None:
            return False
        return -margin < self.low and self.high < margin


class _Entry:
    """What an effect is of, and its estimate."""

    def as_json(self) -> dict[str, Any]:
        """Return the entry of ``comparison.json``, the estimate's numbers among its own."""
        entry: dict[str, Any] = {}
        for name, value in vars(self).items():
            entry |= value.as_json() if isinstance(value, Estimate) else {name: value}
        return entry


class _OfLevel(_Entry):
    """What a level of a factor does."""

    factor: str
    level: Level

    @property
    def of(self) -> tuple[str, Level]:
        """Factor and level."""
        return self.factor, self.level


@dataclass(frozen=True)
class MainEffect(_OfLevel):
    """A level against the reference, averaged over the other factors with equal weights.

    ``contradicted_by`` are factors with which it interacts so that at some of their levels the
    difference isn't shown, or is the opposite: then the average says nothing of these.
    """

    factor: str
    level: Level
    reference: Level
    estimate: Estimate
    contradicted_by: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Interaction(_Entry):
    """How much the difference by one factor differs between two levels of another."""

    factors: list[str]
    levels: list[Level]
    references: list[Level]
    estimate: Estimate


@dataclass(frozen=True)
class SimpleEffect(_OfLevel):
    """A level against the reference at one level of another factor, averaged over the rest."""

    factor: str
    level: Level
    reference: Level
    given: str
    at: Level
    estimate: Estimate


@dataclass(frozen=True)
class Effects:
    """What the factors of a study do, each list in the order of the factors and levels."""

    main: list[MainEffect]
    interactions: list[Interaction]
    simple: list[SimpleEffect]

    def interacting(self, factor: str, levels: Sequence[Level]) -> list[str]:
        """Return the factors with which a difference between two levels is shown to interact."""
        return [
            other
            for entry in self.interactions
            if entry.estimate.shown and factor in entry.factors
            for other in entry.factors
            if other != factor and {entry.levels[entry.factors.index(factor)]} & {*levels}
        ]

    def is_told(self, effect: MainEffect, margin: float) -> bool:
        """Whether it is known what a level does: that it makes a difference, or none that matters.

        An average that interactions contradict says neither; a level by which one is shown does.
        """
        if effect.estimate.shown or not effect.contradicted_by:
            return effect.estimate.shown or effect.estimate.within(margin)
        return any(
            own.estimate.shown and own.of == effect.of and own.given in effect.contradicted_by
            for own in self.simple
        )

    def as_json(self) -> dict[str, Any]:
        """Return what ``comparison.json`` gains.

        Simple effects where two factors interact, and those that the design tells of a level of
        which it tells no average.
        """
        untold = {own.of for own in self.main if own.estimate.difference is None}
        shown = {
            frozenset(interaction.factors)
            for interaction in self.interactions
            if interaction.estimate.shown
        }
        return {
            "main": [effect.as_json() for effect in self.main],
            "interactions": [effect.as_json() for effect in self.interactions],
            "simple": [
                effect.as_json()
                for effect in self.simple
                if frozenset((effect.factor, effect.given)) in shown
                or (effect.estimate.difference is not None and effect.of in untold)
            ],
        }
