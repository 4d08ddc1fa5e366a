"""How far a launch is, read from the run store, by its own process as by any other."""

import os
import time
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sidebyside import paths
from sidebyside.execution.running.launches import Launch, RunShown
from sidebyside.storage import store
from sidebyside.tracking.signs import is_waiting


@dataclass(frozen=True)
class Running:
    """A run that is being trained: its key, its name, its epochs done and all of them."""

    key: str
    name: str
    done: int
    epochs: int


@dataclass(frozen=True)
class State:
    """How far a launch is.

    Attributes
    ----------
    done : int
        Runs that are finished.
    runs : int
        All of them.
    running : list of Running
    epochs_done : int
        Of all runs.
    share : float
        Of the work that the launch found to do, by cost.
    seconds, training : float
        Since it was started, and since its first run was.
    waits : bool
        Whether a tracking store is waited for.
    failures : dict of str
        Reasons by the names of runs.
    """

    done: int
    runs: int
    running: list[Running]
    epochs_done: int
    share: float
    seconds: float
    training: float
    waits: bool
    failures: dict[str, str]

    @property
    def left(self) -> float | None:
        """Seconds until it ends, as far as its pace tells; None where it doesn't yet."""
        return self.training / self.share * (1 - self.share) if 0 < self.share < 1 else None

    def text(self) -> str:
        """Return one line about it."""
        parts = [f"{self.done}/{self.runs} runs"]
        if self.running:
            epochs = sorted(f"{own.done}/{own.epochs}" for own in self.running)
            parts.append(f"epochs {' '.join(epochs)}")
        if self.failures:
            parts.append(f"{len(self.failures)} failed")
        if (left := self.left) is not None:
            parts.append(f"about {timedelta(seconds=round(left))} left")
        if self.waits:
            parts.append("waiting for the tracking store")
        return ", ".join(parts)


def state_of(launch: Launch) -> State:
    """Return how far a launch is."""
    runs, failures = launch.runs, launch.failures  # of one moment, should others be added
    finished = store.announced(launch.id) & runs.keys()
    begun = dict(_begun(launch, runs, finished))
    running = [
        Running(key, runs[key].name, done, runs[key].epochs)
        for key, done in begun.items()
        if key not in failures and _is_at(launch, key)
    ]
    to_do = sum(runs[key].left(runs[key].begun) for key in runs)
    unfinished = runs.keys() - finished - failures.keys()
    left = sum(runs[key].left(begun.get(key, runs[key].begun)) for key in unfinished)
    return State(
        done=len(finished),
        runs=len(runs),
        running=sorted(running, key=lambda own: own.name),
        epochs_done=sum(runs[key].epochs for key in finished) + sum(begun.values()),
        share=max(0, 1 - left / to_do) if to_do > 0 else 1,
        seconds=max(0, time.time() - launch.began),  # a clock may be set back
        training=max(0, time.time() - (launch.trains_since or launch.began)),
        waits=is_waiting(),
        failures={runs[key].name: why for key, why in failures.items()},
    )


def _begun(
    launch: Launch, runs: Mapping[str, RunShown], finished: Container[str]
) -> Iterator[tuple[str, int]]:
    """Yield the key of each run that was begun, and its epochs; all of one that is evaluated."""
    begun, stored = (_names(own) for own in (paths.runs() / ".unfinished", paths.runs()))
    for key in (begun | stored) & runs.keys():  # of ten thousand runs only these are looked at
        if key in finished:
            continue
        if key in begun:
            yield key, min(store.epochs_done(key) or 0, runs[key].epochs)
        elif _is_newer(paths.run(key), launch):
            yield key, runs[key].epochs


def _names(folder: Path) -> set[str]:
    return set(os.listdir(folder)) if folder.is_dir() else set()


def _is_at(launch: Launch, key: str) -> bool:
    """Whether a run was begun by a launch, and not left by an earlier one."""
    return any(_is_newer(own, launch) for own in (paths.unfinished_run(key), paths.run(key)))


def _is_newer(folder: Path, launch: Launch) -> bool:
    try:
        return folder.stat().st_mtime >= launch.began
    except OSError:
        return False
