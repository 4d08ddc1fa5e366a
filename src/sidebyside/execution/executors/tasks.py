"""What is done in a worker, and which task comes next."""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Task:
    """A call to make in a worker.

    Attributes
    ----------
    call : callable
        Without arguments.
    log : pathlib.Path
        Where what it prints goes.
    process : str
        What is set once for a process: tasks of which this differs never share one.
    graph : str
        What a worker has ready once it has done such a task, and does another one sooner.
    cost : float
        How long it takes, in any unit.
    gpu : bool
        Whether its process is to have a GPU; the same for all that share one.
    """

    call: Callable[[], Any]
    log: Path
    process: str = ""
    graph: str = ""
    cost: float = 0
    gpu: bool = False


class Queue:
    """Tasks that wait for a worker, numbered in the order in which they came."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._waiting: dict[int, Task] = {}
        self._next = 0
        self.add(tasks)

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def first(self) -> Task:
        """The task which came first."""
        return self._waiting[min(self._waiting)]

    def add(self, tasks: Sequence[Task]) -> bool:
        """Let tasks wait; return whether there are any."""
        self._waiting |= dict(enumerate(tasks, start=self._next))
        self._next += len(tasks)
        return bool(tasks)

    def put_back(self, number: int, task: Task) -> None:
        """Let a task wait again that was taken."""
        self._waiting[number] = task

    def waiting(self, process: str) -> int:
        """Return how many tasks wait for a process of this kind."""
        return sum(task.process == process for task in self._waiting.values())

    def take(
        self, process: str, own: str | None, others: Container[str | None]
    ) -> tuple[int, Task] | None:
        """Return a worker's next task with its number, None where there is none for its process.

        One that it has the graph for, else one that no other worker has it for, else any; of those
        the longest.
        """

        def rank(number: int) -> tuple[bool, bool, float, int]:
            task = self._waiting[number]
            return task.graph != own, task.graph in others, -task.cost, number

        fitting = [number for number, task in self._waiting.items() if task.process == process]
        if not fitting:
            return None
        number = min(fitting, key=rank)
        return number, self._waiting.pop(number)
