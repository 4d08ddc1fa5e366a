"""What every engine that runs tasks offers."""

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol

from sidebyside.execution.executors.tasks import Task

More = Callable[[], Sequence[Task]]


class WorkerDiedError(Exception):
    """A worker ended without an answer; the message says how."""


class Executor(Protocol):
    """Runs tasks; all that is done in parallel goes through one.

    Attributes
    ----------
    elsewhere : bool
        Whether its workers may be on other machines.
    """

    elsewhere: bool

    def start(self) -> None:
        """Let it get ready while others go on; it does so itself, but then has to be waited for."""

    def first(self, task: Task) -> "Future[Any]":
        """Begin with one task, while others go on, and return its result to be."""

    def run(self, tasks: Sequence[Task], more: More = tuple) -> Iterator[tuple[int, Any]]:
        """Do all tasks, the longest first; yield the number and the result of each as it ends.

        The result is an exception where the task failed; one that fails ends no other. When the
        iteration is left early, or the process is interrupted, running tasks are stopped.

        ``more`` is asked for further tasks whenever there is none left to begin with. Their numbers
        go on from those of the others. All is done when each task has ended and it has no more.
        """


def tell_lost(reason: str, log: Path) -> None:
    """Say that a task whose worker was lost is started again."""
    print(
        f"A worker is lost ({reason}): its run is started again, and prints to {log}.",
        file=sys.stderr,
        flush=True,
    )
