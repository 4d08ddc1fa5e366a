"""Progress of a launch: runs done, epochs under way, time left."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from sidebyside.execution.submitted.records import note_progress
from sidebyside.storage import store
from sidebyside.tracking.signs import is_waiting

_LOOK_EVERY = 0.5  # seconds


@contextmanager
def watch(launch: str, epochs: Mapping[str, int]) -> Iterator[None]:
    """Show how far a launch is: a bar on a terminal, else a line whenever a run ends.

    Parameters
    ----------
    launch : str
        Id of the launch.
    epochs : dict of int
        How many epochs each run has, by run key.
    """
    if not sys.stderr.isatty():
        line = Console(stderr=True, soft_wrap=True, highlight=False)
        with _polling(launch, epochs, lambda state: line.print(state.text())):
            yield
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=sum(epochs.values()))

        def show(state: "_State") -> None:
            bar.update(task, description=state.text(), completed=state.epochs_done)

        with _polling(launch, epochs, show, every_epoch=True):
            yield


class _State:
    """How far a launch is."""

    def __init__(self, launch: str, epochs: Mapping[str, int], began: float) -> None:
        done = store.announced(launch)
        under_way = {
            key: count
            for key in epochs
            if key not in done and (count := store.epochs_done(key)) is not None
        }
        self.runs_done, self.runs = len(done), len(epochs)
        self.current = sorted(f"{count}/{epochs[key]}" for key, count in under_way.items())
        self.epochs_done = sum(epochs[key] for key in done) + sum(under_way.values())
        self.waits = is_waiting()
        self._epochs = sum(epochs.values())
        self._seconds = time.monotonic() - began

    def text(self) -> str:
        """Return one line about it."""
        parts = [f"{self.runs_done}/{self.runs} runs"]
        if self.current:
            parts.append(f"epochs {' '.join(self.current)}")
        if 0 < self.epochs_done < self._epochs:
            left = self._seconds / self.epochs_done * (self._epochs - self.epochs_done)
            parts.append(f"about {timedelta(seconds=round(left))} left")
        if self.waits:
            parts.append("waiting for the tracking store")
        return ", ".join(parts)


@contextmanager
def _polling(
    launch: str,
    epochs: Mapping[str, int],
    show: Callable[[_State], None],
    every_epoch: bool = False,
) -> Iterator[None]:
    began, stop = time.monotonic(), threading.Event()
    last: list[int] = []

    def look() -> None:
        state = _State(launch, epochs, began)
        now = [state.runs_done, state.waits] + ([state.epochs_done] if every_epoch else [])
        if now != last:
            last[:] = now
            note_progress(state.runs_done, state.runs, state.text())
            show(state)

    def poll() -> None:
        while not stop.wait(_LOOK_EVERY):
            look()

    thread = threading.Thread(target=poll, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        look()
