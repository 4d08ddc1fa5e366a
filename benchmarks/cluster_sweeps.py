"""What is asked of the simulated cluster: grids, limits, and what helps beyond them."""

import json
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from cluster_given import HOUR, Cluster
from cluster_model import Outcome, simulate
from pilot import FACTORIAL, pilot

from sidebyside.execution.executors.tasks import Queue, Task

TOO_LONG = 1.1  # times the ideal makespan
BUSY = 0.8  # of the time, from which on a resource is what limits
LIFETIMES = (None, 24 * HOUR, 4 * HOUR, HOUR)
RUN_SECONDS = (10.0, 300.0, HOUR)
WORKERS = (10, 100, 1_000)
FOR_EVER = 10**9
POLICIES: dict[str, dict[str, Any]] = {
    "a lost task is started again once (ours)": {},
    "a run fails at two losses without an epoch between them": {"forgiven": True},
    "a lost node counts against no run": {"losses": FOR_EVER},
}
Case = tuple[Cluster, Outcome]


@dataclass(frozen=True)
class Limit:
    """The first values of a parameter, from harmless to harmful, at which something happens.

    Attributes
    ----------
    what : str
        The parameter.
    holds : str or None
        The last value at which a study doesn't take too long; None where it always does.
    breaks, at : str, Outcome
        The first at which it does, and what comes of it; None where it never does.
    full, busy : str, Outcome
        The same of the first at which a resource is used nearly all the time.
    """

    what: str
    holds: str | None
    breaks: str | None
    at: Outcome | None
    full: str | None
    busy: Outcome | None


class Sweeps:
    """All of them, at a given number of runs for each worker.

    Parameters
    ----------
    runs, fewer : int
        Runs for each worker: in the grid, and where many simulations are needed.
    """

    def __init__(self, runs: int, fewer: int) -> None:
        self._runs = runs
        self._fewer = fewer

    def cluster(self, fewer: bool = False, **given: Any) -> Cluster:
        """Return a cluster with so many runs for each worker."""
        cluster = replace(Cluster(), **given)
        return replace(cluster, runs=cluster.workers * (self._fewer if fewer else self._runs))

    def grid(self) -> list[Case]:
        """Return what comes of each combination of workers, run time and lifetime."""
        return cases(
            self.cluster(workers=workers, run_seconds=seconds, lifetime=lifetime)
            for workers in WORKERS
            for seconds in RUN_SECONDS
            for lifetime in LIFETIMES
        )

    def laws(self) -> list[Case]:
        """Return what comes of other laws of lifetimes, and of a committed study's run times."""
        seconds, factors = committed_times()
        measured = self.cluster(fewer=True, factors=factors, run_seconds=seconds)
        usual = self.cluster(fewer=True, lifetime=4 * HOUR, run_seconds=HOUR)
        laws = [replace(usual, law=law) for law in ("exponential", "weibull", "bathtub")]
        return cases([*laws, measured, replace(measured, lifetime=4 * HOUR)])

    def losses(self) -> list[tuple[str, Cluster, Outcome]]:
        """Return what comes of each policy for lost tasks."""
        asked = [
            (name, self.cluster(True, run_seconds=seconds, lifetime=lifetime, **policy))
            for seconds, lifetime in ((300.0, HOUR), (HOUR, 24 * HOUR), (HOUR, HOUR))
            for name, policy in POLICIES.items()
        ]
        found = cases(cluster for _, cluster in asked)
        return [(name, *case) for (name, _), case in zip(asked, found, strict=True)]

    def limits(self) -> list[Limit]:
        """Return where a study begins to take too long, one parameter after another."""
        asked = {f"workers, runs of {own:g} s": self._workers(own) for own in (10.0, 60.0, 300.0)}
        for name, (what, values, unit, scale) in PARAMETERS.items():
            asked[what] = {
                f"{value * scale:g} {unit}": self.cluster(True, **{name: value}) for value in values
            }
        with ProcessPoolExecutor() as pool:
            return list(pool.map(limit, asked, asked.values()))

    def _workers(self, seconds: float) -> dict[str, Cluster]:
        counts = (10, 20, 50, 100, 200, 500, 1_000, 2_000)
        return {
            str(count): self.cluster(True, workers=count, run_seconds=seconds) for count in counts
        }

    def helped(self, seconds: float) -> list[tuple[str, Outcome]]:
        """Return which changes help, the one first that helps most, until the study is fast."""
        cluster = self.cluster(True, run_seconds=seconds)
        steps = [("nothing changed", simulate(cluster))]
        left = dict(REMEDIES)
        while left and steps[-1][1].ratio > TOO_LONG:
            tried = {name: replace(cluster, **own) for name, own in left.items()}
            found = cases(tried.values())
            outcomes = {name: own for name, (_, own) in zip(tried, found, strict=True)}
            best = min(outcomes, key=lambda name: outcomes[name].makespan)
            if outcomes[best].makespan > 0.995 * steps[-1][1].makespan:
                break
            cluster = tried[best]
            steps.append((best, outcomes[best]))
            del left[best]
        return steps


_Values = tuple[float, ...]
PARAMETERS: dict[str, tuple[str, _Values, str, float]] = {
    "run_seconds": ("mean run time", (600, 300, 120, 60, 30, 20, 10, 5), "s", 1),
    "latency": ("latency of the tracking server", (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5), "s", 1),
    "service": ("its time for a request", (0.01, 0.02, 0.03, 0.05, 0.1, 0.2), "ms", 1e3),
    "bandwidth": ("bandwidth of the store", (1e9, 5e8, 2e8, 1e8, 5e7, 2e7), "MB/s", 1e-6),
    "composing": (
        "composing a run, before the first starts",
        (0.003, 0.01, 0.02, 0.05, 0.08, 0.2),
        "ms",
        1e3,
    ),
    "per_task": (
        "the driver's time for a task",
        (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1),
        "ms",
        1e3,
    ),
    "lifetime": (
        "mean lifetime of a node",
        tuple(own * HOUR for own in (1000, 100, 48, 24, 12, 8, 4, 2, 1, 0.5)),
        "h",
        1 / HOUR,
    ),
}
REMEDIES: dict[str, dict[str, Any]] = {
    "16 processes at the tracking server instead of 4": {"servers": 16},
    "a third of the requests (all figures of a run at once)": {"opening": 2, "closing": 7},
    "a checkpoint at most once a minute": {"checkpoint_every": 60.0},
    "runs composed while others train": {"composing": 0.0, "per_task": 0.008},
    "a store of ten times the bandwidth": {"bandwidth": 1.25e10},
    "a tracking server nearer by, 2 ms there and back": {"latency": 0.002},
}


def cases(clusters: Iterable[Cluster]) -> list[Case]:
    """Return clusters and what comes of each."""
    asked = list(clusters)
    with ProcessPoolExecutor() as pool:
        return list(zip(asked, pool.map(simulate, asked), strict=True))


def limit(what: str, clusters: dict[str, Cluster]) -> Limit:
    """Return the first cluster on which a study takes too long, and the first that is busy."""
    names = list(clusters)
    known: dict[int, Outcome] = {}

    def outcome(place: int) -> Outcome:
        if place not in known:
            known[place] = simulate(clusters[names[place]])
        return known[place]

    def first(happens: Callable[[Outcome], bool]) -> int:
        low, high = 0, len(names)  # it happens nowhere below low, and everywhere from high on
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if happens(outcome(middle)) else (middle + 1, high)
        return low

    breaks = first(lambda own: own.ratio > TOO_LONG)
    full = first(lambda own: own.busiest[1] > BUSY)
    return Limit(
        what,
        holds=names[breaks - 1] if breaks else None,
        breaks=names[breaks] if breaks < len(names) else None,
        at=known.get(breaks),
        full=names[full] if full < len(names) else None,
        busy=known.get(full),
    )


def committed_times() -> tuple[float, tuple[tuple[float, ...], ...]]:
    """Return the mean seconds of the committed factorial's runs, and over it those by variant."""
    costs = json.loads((FACTORIAL / "costs.json").read_text())
    variants: dict[str, list[float]] = {}
    for run in pilot().runs:
        variants.setdefault(run.variant, []).append(costs[run.key]["seconds"])
    mean = fmean(second for own in variants.values() for second in own)
    return mean, tuple(tuple(second / mean for second in own) for own in variants.values())


def choosing(waiting: int, times: int = 1_000) -> float:
    """Return the real seconds in which the scheduler chooses a task among those that wait."""
    graphs = max(waiting // 50, 1)
    tasks = [
        Task(int, Path("log"), graph=str(one % graphs), cost=one % 7) for one in range(waiting)
    ]
    queue = Queue(tasks)
    began = time.perf_counter()
    for _ in range(times):
        queue.take("", None, ())
    return (time.perf_counter() - began) / times
