"""Progress of a launch: runs done, epochs under way, time left."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

from sidebyside.execution.running.launches import Launch
from sidebyside.execution.running.states import State, state_of
from sidebyside.execution.running.view import View
from sidebyside.execution.submitted.records import note_progress

_LOOK_EVERY = 0.5  # seconds
_LINE_EVERY = 10.0  # seconds between two lines on epochs, at least; in a long launch more
_LINES_LATER = 20  # in the time that it has taken


@contextmanager
def watch(launch: Launch) -> Iterator[None]:
    """Show how far a launch is.

    On a terminal by a view of what is trained; else by a line whenever a run ends, and for its
    epochs from time to time.
    """
    if sys.stderr.isatty():
        with View(Console(stderr=True)) as view, _polling(launch, view.show):
            yield
        return
    line = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    with _polling(launch, lambda state: line.print(state.text()), _WorthALine()):
        yield


class _WorthALine:
    """Lets through what is worth a line in a log."""

    def __init__(self) -> None:
        self._last: tuple[object, ...] = ()
        self._epochs = 0
        self._due = time.monotonic() + _LINE_EVERY

    def __call__(self, state: State) -> bool:
        now = (state.done, state.runs, state.waits, len(state.failures))
        epoch = state.epochs_done != self._epochs and time.monotonic() >= self._due
        if now == self._last and not epoch:
            return False
        self._last, self._epochs = now, state.epochs_done
        self._due = time.monotonic() + max(_LINE_EVERY, state.seconds / _LINES_LATER)
        return True


@contextmanager
def _polling(
    launch: Launch,
    show: Callable[[State], None],
    worth: Callable[[State], bool] = lambda state: True,
) -> Iterator[None]:
    stop = threading.Event()

    def look() -> None:
        launch.beat()
        state = state_of(launch)
        if worth(state):
            note_progress(state.done, state.runs, state.text())
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
