"""One task after the other in this very process, where a debugger can follow."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import Any

from sidebyside.environment import give_gpu, has_gpu
from sidebyside.errors import UserError
from sidebyside.execution.executors.interface import More
from sidebyside.execution.executors.tasks import Queue, Task
from sidebyside.storage import cards


class SerialExecutor:
    """The process that was started, which does one task after the other.

    Nothing keeps tasks apart: there are no limits, and one that dies takes the others with it.
    """

    elsewhere = False

    def start(self) -> None:
        """Do nothing: this process is ready."""

    def first(self, task: Task) -> "Future[Any]":
        """Do one task and return its result."""
        future: Future[Any] = Future()
        try:
            future.set_result(_done(task))
        except Exception as error:
            future.set_exception(error)
        return future

    def run(self, tasks: Sequence[Task], more: More = tuple) -> Iterator[tuple[int, Any]]:
        """Do all tasks, see `sidebyside.execution.executors.interface.Executor`."""
        queue = Queue(tasks)
        own: str | None = None
        process: str | None = None
        if other := next((task for task in tasks if task.process != tasks[0].process), None):
            raise _unlike(tasks[0].process, other.process)  # before the first is done
        while queue or queue.add(more()):
            process = process or queue.first.process
            taken = queue.take(process, own, ())
            if taken is None:
                raise _unlike(process, queue.first.process)
            number, task = taken
            own = task.graph
            try:
                outcome = _done(task)
            except (Exception, SystemExit) as error:  # Ctrl-C ends the others too
                outcome = error
            yield number, outcome


def _unlike(one: str, other: str) -> UserError:
    return UserError(
        "These runs need processes of different settings, which hydra/launcher=serial hasn't got "
        f"({one} and {other}): choose local."
    )


def _done(task: Task) -> Any:
    """Do a task, with the GPU that it asks for."""
    if task.gpu and not has_gpu():
        give_gpu(cards.places()[0])
    return task.call()
