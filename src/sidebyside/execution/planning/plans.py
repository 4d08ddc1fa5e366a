"""What a launch would do: each of its runs, the time and the room that they take together."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from heapq import heapify, heapreplace
from typing import Literal

import joblib

from sidebyside import paths
from sidebyside.config.factors import variant_name
from sidebyside.config.launchers import Launcher, Local, Serial
from sidebyside.config.schema import Config
from sidebyside.data.prepare import prepared
from sidebyside.execution.jobs import Job, retraining
from sidebyside.execution.planned import Planned, Wanted, check_datasets
from sidebyside.execution.planning.timings import Timings
from sidebyside.files import free_space, read_json
from sidebyside.storage import store
from sidebyside.storage.evaluations import is_evaluated
from sidebyside.storage.results import StudyRun

State = Literal["done", "in evidence", "to evaluate", "to resume", "to train"]
_MOST_COMPARED = 1_000  # runs whose bits are compared: their cards are read for it
_ORDER: tuple[State, ...] = ("done", "in evidence", "to evaluate", "to resume", "to train")


@dataclass(frozen=True)
class PlannedRun:
    """A run of a plan.

    Attributes
    ----------
    run : StudyRun
        Its key is empty where the data aren't there by which keys are made.
    state : str
    seconds : float
        That a worker will be at it; 0 for one that is done.
    size : int
        Bytes that it will add to the run store.
    epochs : tuple of int
        How many it has, and how many there will be.
    same_as : str or None
        The key of a run before it in the plan that came out with the same bits.
    guessed : bool
        Whether no run of its kind was trained at this home by which to tell the seconds.
    """

    run: StudyRun
    state: State
    seconds: float = 0
    size: int = 0
    epochs: tuple[int, int] = (0, 0)
    same_as: str | None = None
    guessed: bool = False


@dataclass(frozen=True)
class Plan:
    """What a launch would do.

    Attributes
    ----------
    runs : list of PlannedRun
    workers : int or None
        How many runs at a time; None where a cluster says that.
    starting : float
        Seconds that the launch takes besides.
    rough : bool
        Whether nothing like some of its runs was trained at this home by which to tell the time.
    copies : int
        How often each run is kept on the disk.
    """

    runs: list[PlannedRun]
    workers: int | None
    starting: float
    rough: bool
    copies: int = 1
    counts: Mapping[State, int] = field(init=False)

    def __post_init__(self) -> None:
        """Count the runs by state."""
        object.__setattr__(self, "counts", Counter(own.state for own in self.runs))

    @property
    def seconds(self) -> float:
        """How long the launch takes, or what its runs take together where workers are unknown."""
        times = sorted((own.seconds for own in self.runs if own.seconds), reverse=True)
        if not times:
            return 0
        if self.workers is None:
            return sum(times)
        ends = [0.0] * self.workers  # the longest first, as executors do
        heapify(ends)
        for seconds in times:
            heapreplace(ends, ends[0] + seconds)
        return self.starting + max(ends)

    @property
    def size(self) -> int:
        """How many bytes the launch leaves on the disk."""
        return self.copies * sum(own.size for own in self.runs)

    def line(self) -> str:
        """Return all of it in a line."""
        count = f"{len(self.runs)} runs" if len(self.runs) != 1 else "1 run"
        states = [f"{self.counts[state]} {state}" for state in _ORDER if self.counts.get(state)]
        parts = [f"{count}: {', '.join(states)}"]
        if same := sum(own.same_as is not None for own in self.runs):
            parts.append(f"{same} with the bits of another")
        if self.seconds:
            parts.append(self._time())
            parts.append(f"{self.size / 1e6:.0f} MB")
        return "; ".join(parts)

    def _time(self) -> str:
        about = f"about {timedelta(seconds=round(self.seconds))}"
        rough = " (a guess: nothing like it was trained here yet)" if self.rough else ""
        if self.workers is None:
            return f"{about} of computing{rough}"
        return f"{about} with {self.workers} worker{'s' * (self.workers > 1)}{rough}"

    def warning(self) -> str | None:
        """Return what to say where the disk is too small, None where it isn't."""
        free = free_space(paths.home())
        if self.size < free:
            return None
        return f"{paths.home()} has room for {free / 1e6:.0f} MB, and {self.size / 1e6:.0f} come."


def plan_of(wanted: Sequence[Wanted], launcher: Launcher) -> Plan:
    """Return what a launch would do, without downloading or preparing anything.

    Raises
    ------
    UserError
        If two runs are the same, or can't be trained here.
    """
    check_datasets([config.dataset for config, _ in wanted])
    places = {(own.dataset.name, own.data_format): own.dataset for own, _ in wanted}
    if all(prepared(dataset, data_format) for (_, data_format), dataset in places.items()):
        planned = Planned()
        jobs = planned.add(wanted)
        return plan_of_jobs(jobs, _finished(jobs), launcher, list(planned.held.values()))
    timings = Timings([config for config, _ in wanted])
    runs = [
        _untrained(config, StudyRun("", variant_name(factors), dict(factors), config.seed), timings)
        for config, factors in wanted
    ]
    return _of(runs, wanted[0][0], timings, launcher)


def plan_of_jobs(
    jobs: Sequence[Job],
    done: Collection[str],
    launcher: Launcher,
    held: Sequence[StudyRun] = (),
) -> Plan:
    """Return the plan of runs of which it is known which are ``done``, by key.

    ``held`` are those that needn't be trained as the committed evidence has them.
    """
    timings = Timings([job.config for job in jobs])
    same = _same_bits([job.run for job in jobs]) if len(jobs) <= _MOST_COMPARED else {}
    runs = [PlannedRun(run, "in evidence") for run in held]
    fresh: dict[str, PlannedRun] = {}  # the last one of each variant
    for job in jobs:
        if job.run.key in done:
            epochs = (job.config.training.epochs,) * 2
            own = PlannedRun(job.run, "done", epochs=epochs, same_as=same.get(job.run.key))
        elif store.holds(job.run.key) and not retraining():
            seconds, guessed = timings.beside(job.config), not timings.knows(job.config)
            own = PlannedRun(job.run, "to evaluate", seconds, guessed=guessed)
        else:
            variant = job.run.variant
            fresh[variant] = own = _untrained(job.config, job.run, timings, fresh.get(variant))
        runs.append(own)
    return _of(runs, jobs[0].config if jobs else None, timings, launcher)


def workers_of(launcher: Launcher) -> int | None:
    """Return how many runs an engine does at a time, None where a cluster says that."""
    if isinstance(launcher, Serial):
        return 1
    if isinstance(launcher, Local):
        return launcher.workers or int(joblib.cpu_count())
    return getattr(launcher, "workers", None)


def _of(
    runs: list[PlannedRun], config: Config | None, timings: Timings, launcher: Launcher
) -> Plan:
    copies = 2 if config is not None and config.study is not None else 1  # one in results/
    rough = any(own.guessed for own in runs)
    return Plan(runs, workers_of(launcher), timings.starting(), rough, copies)


def _untrained(
    config: Config, run: StudyRun, timings: Timings, other_seed: PlannedRun | None = None
) -> PlannedRun:
    epochs = config.training.epochs
    begun = store.epochs_done(run.key) if run.key and not retraining() else None
    if other_seed is not None and not begun and other_seed.state == "to train":
        return replace(other_seed, run=run)
    left = 1 - min(begun or 0, epochs) / epochs
    seconds = timings.training(config, left) + timings.beside(config)
    state: State = "to resume" if begun else "to train"
    size, guessed = timings.size(config), not timings.knows(config)
    return PlannedRun(run, state, seconds, size, (begun or 0, epochs), guessed=guessed)


def _finished(jobs: Sequence[Job]) -> set[str]:
    """Return the keys of the runs that are done, as far as can be told without reading them."""
    return {
        job.run.key
        for job in jobs
        if store.holds(job.run.key)
        and (not job.config.evaluate or is_evaluated(job.run.key))
        and not retraining()
    }


def _same_bits(runs: Sequence[StudyRun]) -> dict[str, str]:
    """Return for finished runs, by key, the first one that has the same weights and seed."""
    first: dict[tuple[int, str], StudyRun] = {}
    same = {}
    for run in runs:
        if not store.holds(run.key):
            continue
        try:
            digest = read_json(paths.run(run.key) / store.CARD)["weights_digest"]
        except (OSError, ValueError, KeyError):
            continue
        other = first.setdefault((run.seed, digest), run)
        if other is not run:
            same[run.key] = other.key[:12]
    return same
