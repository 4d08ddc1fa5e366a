"""What all simulations came to, and how its times are told."""

from dataclasses import dataclass

from cluster_given import HOUR, Cluster
from cluster_model import Outcome
from cluster_reality import Reality
from cluster_sweeps import Case, Limit


@dataclass(frozen=True)
class Findings:
    """What all sweeps came to."""

    command: str
    runs: int
    fewer: int
    grid: list[Case]
    laws: list[Case]
    losses: list[tuple[str, Cluster, Outcome]]
    limits: list[Limit]
    short: float
    helped: list[tuple[str, Outcome]]
    choosing: dict[int, float]
    reality: Reality


def told_time(seconds: float | None) -> str:
    """Return seconds in the unit that people use for as many."""
    if seconds is None:
        return "for ever"
    if seconds < 60:
        return f"{seconds:g} s"
    return f"{seconds / 60:.0f} min" if seconds < HOUR else f"{seconds / HOUR:g} h"
