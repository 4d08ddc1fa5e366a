"""An executor for tests that have imported TensorFlow anyway."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import Any

from sidebyside.execution.executors import Task


class InThisProcess:
    """Does one task after the other here, without a server and workers that import it again."""

    def start(self) -> None:
        """Do nothing: this process is ready."""

    def first(self, task: Task) -> "Future[Any]":
        """Do one task and return its result."""
        future: Future[Any] = Future()
        future.set_result(task.call())
        return future

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Any]]:
        """Do all tasks; one that fails ends them all."""
        for number, task in enumerate(tasks):
            yield number, task.call()
