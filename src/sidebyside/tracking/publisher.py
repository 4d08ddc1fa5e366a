"""A run's epochs, logged beside its training."""

import logging
import threading
from collections.abc import Mapping
from queue import Empty, Queue
from types import TracebackType

from mlflow.entities import Run as MlflowRun

from sidebyside.errors import UserError
from sidebyside.redaction import without_passwords
from sidebyside.tracking.client import Tracker
from sidebyside.tracking.published.contents import Card
from sidebyside.tracking.reachable import first_line

_MOST_WAITING = 500  # epochs; a training that is so far ahead of the store waits for it
_log = logging.getLogger(__name__)

_Epoch = tuple[int, dict[str, float]]


class Publisher:
    """Logs a run in a thread of its own, in order, so that slow answers don't slow its training.

    Its end is that of the ``with`` block, which waits until all is logged. What a store doesn't
    take is left to `Tracker.publish`. Nobody else uses the tracker meanwhile.

    Parameters
    ----------
    tracker : Tracker
    card : Card
        Of the run, which is opened in the thread, too.
    """

    def __init__(self, tracker: Tracker, card: Card) -> None:
        self._tracker = tracker
        self._card = card
        self._queue: Queue[_Epoch | None] = Queue(_MOST_WAITING)
        # Ctrl-C waits for no daemon.
        self._thread = threading.Thread(target=self._work, daemon=True, name="publisher")

    def __enter__(self) -> "Publisher":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None or issubclass(kind, Exception):
            self._queue.put(None)
            self._thread.join()

    def log_epoch(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Let the figures after ``epoch``, from 1, be logged; return at once."""
        self._queue.put((epoch, dict(figures)))

    def _work(self) -> None:
        opened = self._open()
        more = True
        while more:
            taken = self._take()
            more = None not in taken
            epochs = dict(epoch for epoch in taken if epoch is not None)
            if opened is not None and epochs:
                self._log(opened, epochs)

    def _open(self) -> MlflowRun | None:
        try:
            return self._tracker.open_run(self._card)
        except Exception as error:  # whatever it is, the training goes on
            _warn("MLflow has no run", error)
            return None

    def _log(self, opened: MlflowRun, epochs: dict[int, dict[str, float]]) -> None:
        try:
            self._tracker.log_epochs(opened, epochs)
        except Exception as error:  # without this thread, the training would wait for a full queue
            _warn(f"MLflow didn't take epoch {list(epochs)[-1]}", error)

    def _take(self) -> list[_Epoch | None]:
        """Return all that waits, at least one, to be logged in one request."""
        taken = [self._queue.get()]
        while True:
            try:
                taken.append(self._queue.get_nowait())
            except Empty:
                return taken


def _warn(what: str, error: Exception) -> None:
    kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
    _log.warning("%s: %s%s", what, kind, without_passwords(first_line(error)))
