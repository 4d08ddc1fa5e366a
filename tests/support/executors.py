"""An executor for tests that have imported TensorFlow anyway."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from itertools import count
from typing import Any

from sidebyside.execution.executors.tasks import Task


class InThisProcess:
    """Does one task after the other here, without a server and workers that import it again."""

    elsewhere = False

    def start(self) -> None:
        """Do nothing: this process is ready."""

    def first(self, task: Task) -> "Future[Any]":
        """Do one task and return its result."""
        future: Future[Any] = Future()
        future.set_result(task.call())
        return future

    def run(
        self, tasks: Sequence[Task], more: Callable[[], Sequence[Task]] = tuple
    ) -> Iterator[tuple[int, Any]]:
        """Do all tasks; one that fails ends them all."""
        waiting = deque(tasks)
        for number in count():
            if not waiting:
                waiting.extend(more())
            if not waiting:
                return
            yield number, waiting.popleft().call()
