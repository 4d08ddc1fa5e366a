"""What is done in a worker, and which task comes next."""

from collections import defaultdict
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
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
        self._ranked: defaultdict[str, _Ranked] = defaultdict(_Ranked)  # by process
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
        for number, task in enumerate(tasks, start=self._next):
            self.put_back(number, task)
        self._next += len(tasks)
        return bool(tasks)

    def put_back(self, number: int, task: Task) -> None:
        """Let a task wait again that was taken."""
        self._waiting[number] = task
        self._ranked[task.process].add(task.graph, (-task.cost, number))

    def waiting(self, process: str) -> int:
        """Return how many tasks wait for a process of this kind."""
        return len(self._ranked[process]) if process in self._ranked else 0

    def take(
        self, process: str, own: str | None, others: Container[str | None]
    ) -> tuple[int, Task] | None:
        """Return a worker's next task with its number, None where there is none for its process.

        One that it has the graph for, else one that no other worker has it for, else any; of those
        the longest.
        """
        if process not in self._ranked:
            return None
        ranked = self._ranked[process]
        graph = ranked.graph(others) if own is None or own not in ranked else own
        number = ranked.take(graph)
        if not ranked:
            del self._ranked[process]
        return number, self._waiting.pop(number)


_Place = tuple[float, int]  # the negative of a task's cost, and its number: the least is next


class _Ranked:
    """Numbers of tasks that may share a process, in a heap for each graph.

    Looking at all that wait, whenever a worker is free, takes 20 ms where these are 100 000.
    """

    def __init__(self) -> None:
        self._count = 0
        self._graphs: dict[str, list[_Place]] = {}
        # The first of each graph is in here, among others that were first once or are taken.
        self._firsts: list[tuple[_Place, str]] = []

    def __len__(self) -> int:
        return self._count

    def __contains__(self, graph: str) -> bool:
        return graph in self._graphs

    def add(self, graph: str, place: _Place) -> None:
        self._count += 1
        places = self._graphs.setdefault(graph, [])
        heappush(places, place)
        if places[0] == place:
            heappush(self._firsts, (place, graph))

    def graph(self, others: Container[str | None]) -> str:
        """Return the graph of the first task that has none of these graphs, else of the first."""
        passed: list[tuple[_Place, str]] = []
        found = None
        while self._firsts and found is None:
            place, graph = first = heappop(self._firsts)
            if not self._is_first(place, graph) or (passed and passed[-1] == first):
                continue
            passed.append(first)
            if graph not in others:
                found = graph
        for first in passed:
            heappush(self._firsts, first)
        return passed[0][1] if found is None else found

    def take(self, graph: str) -> int:
        """Take the first task of a graph and return its number."""
        self._count -= 1
        places = self._graphs[graph]
        _, number = heappop(places)
        if places:
            heappush(self._firsts, (places[0], graph))
        else:
            del self._graphs[graph]
        return number

    def _is_first(self, place: _Place, graph: str) -> bool:
        return graph in self._graphs and self._graphs[graph][0] == place
