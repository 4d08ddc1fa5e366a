"""How far runs are that are trained again: their workers note each epoch in a file of the run."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

_LOOK_EVERY = 0.5  # seconds
_LINE_EVERY = 10.0  # seconds between two lines on epochs, at least
_SPEED_OF = 3600.0  # seconds, by which the time left is told: an epoch may take minutes


class Watch:
    """What is done of runs that are trained again, told on stderr.

    Parameters
    ----------
    notes : sequence of pathlib.Path
        A file for each run, see `note_epoch`.
    epochs : int
        Of all runs.

    Attributes
    ----------
    bar : rich.progress.Progress
        To be shown meanwhile; disabled where there is no terminal.
    """

    def __init__(self, notes: Sequence[Path], epochs: int) -> None:
        self._notes, self._epochs = notes, epochs
        self._console = Console(stderr=True, soft_wrap=True, highlight=False)
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            speed_estimate_period=_SPEED_OF,
            disable=not self._console.is_terminal,
        )
        self._task = self.bar.add_task(self._text(0, 0), total=epochs)
        self._runs = 0
        self._told = 0
        self._due = time.monotonic() + _LINE_EVERY

    def ended(self) -> None:
        """Tell that one more run has ended."""
        self._runs += 1
        self._tell(self._done())

    def look(self) -> None:
        """Tell of epochs that are new, from time to time."""
        done = self._done()
        if not self.bar.disable or (done != self._told and time.monotonic() >= self._due):
            self._tell(done)

    def _done(self) -> int:
        return sum(path.stat().st_size for path in self._notes if path.exists())

    def _tell(self, done: int) -> None:
        self._told, self._due = done, time.monotonic() + _LINE_EVERY
        text = self._text(self._runs, done)
        self.bar.update(self._task, completed=done, description=text)
        if self.bar.disable:
            self._console.print(text)

    def _text(self, runs: int, done: int) -> str:
        return f"{runs}/{len(self._notes)} runs trained again, {done}/{self._epochs} epochs"


def note_epoch(notes: Path, _: object) -> None:
    """Note in a run's file that one more of its epochs is done, whatever its state is."""
    with suppress(FileNotFoundError), notes.open("ab") as file:  # no folder on a cluster's node
        file.write(b".")


@contextmanager
def watch(notes: Sequence[Path], epochs: int) -> Iterator[Watch]:
    """Tell meanwhile what is done: by a bar on a terminal, else by a line at times."""
    seen, over = Watch(notes, epochs), threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_EVERY):
            seen.look()

    thread = threading.Thread(target=look, daemon=True)
    with seen.bar:
        thread.start()
        try:
            yield seen
        finally:
            over.set()
            thread.join()
