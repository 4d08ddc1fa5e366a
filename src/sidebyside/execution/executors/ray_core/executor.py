"""Tasks on the workers of a Ray cluster."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import Any

from sidebyside.config.launchers import Ray
from sidebyside.config.schema import Store, Tracking
from sidebyside.execution.executors.interface import More, WorkerDiedError, tell_lost
from sidebyside.execution.executors.ray_core.actor import Driver
from sidebyside.execution.executors.ray_core.cluster import Cluster, join
from sidebyside.execution.executors.ray_core.crew import Crew
from sidebyside.execution.executors.ray_core.nodes import check_place, places, room
from sidebyside.execution.executors.ray_core.shipping import told
from sidebyside.execution.executors.ray_core.workers import LostError, Worker, kill
from sidebyside.execution.executors.tasks import Queue, Task


class RayExecutor:
    """Workers on a Ray cluster, which is started here or joined.

    A task whose worker or node dies is started once more, and goes on from its checkpoint if it
    has one; the second time it has failed. One that takes longer or more than it may has failed at
    once.

    Parameters
    ----------
    settings : Ray
    tracking : Tracking, optional
        Where runs are logged, if tasks are runs.
    shared : Store, optional
        Where machines share runs.
    """

    elsewhere = True

    def __init__(
        self, settings: Ray, tracking: Tracking | None = None, shared: Store | None = None
    ) -> None:
        self._settings = settings
        self._check = partial(check_place, tracking=tracking, shared=shared)
        self._cluster: Cluster | None = None
        self._checking = threading.Lock()
        self._is_checked = False

    def start(self) -> None:
        """Begin to connect, while others go on."""
        self._cluster = join(self._settings)

    def first(self, task: Task) -> "Future[Any]":
        """Begin with one task, which has no limits: they are those of runs."""
        future: Future[Any] = Future()

        def settle() -> None:
            try:
                future.set_result(self._first(task))
            except BaseException as error:
                future.set_exception(error)

        # Ctrl-C waits for no daemon, and the worker ends with this process.
        threading.Thread(target=settle, daemon=True).start()
        return future

    def _first(self, task: Task) -> Any:
        with self._connected() as driver:
            room(self._settings, task.gpu)
            worker = Worker(self._settings, driver, task.gpu)
            try:
                worker.arrive()
                worker.begin(0, task)
                result = worker.end_task()
            except LostError as error:
                raise WorkerDiedError(str(error)) from None
            finally:
                kill([worker])
        if isinstance(result, BaseException):
            raise result
        return result

    def run(self, tasks: Sequence[Task], more: More = tuple) -> Iterator[tuple[int, Any]]:
        """Do all tasks, see `sidebyside.execution.executors.interface.Executor`."""
        queue = Queue(tasks)
        while queue or queue.add(more()):
            with self._connected() as driver:
                assert self._cluster is not None
                self._cluster.tell_dashboard()
                yield from self._run(queue, more, driver)

    def _run(self, queue: Queue, more: More, driver: Driver) -> Iterator[tuple[int, Any]]:
        """Do the first task and all that may share a process with it."""
        process = queue.first.process
        lost: set[int] = set()
        crew = Crew(self._settings, driver, queue.first.gpu, self._check)
        asks = True
        try:
            while True:
                crew.fill(queue.waiting(process))
                for worker in crew.idle:
                    if asks and not queue:
                        asks = queue.add(more())
                    self._begin_next(worker, queue, process, crew)
                if not crew.busy and not queue.waiting(process):
                    return
                for number, task, outcome in crew.wait():
                    asks = True
                    if isinstance(outcome, LostError) and number not in lost:
                        lost.add(number)
                        queue.put_back(number, task)
                        tell_lost(str(outcome), task.log)
                    elif isinstance(outcome, LostError):
                        yield number, WorkerDiedError(f"{outcome}, the second time")
                    else:
                        yield number, outcome
        finally:
            crew.end()

    def _begin_next(self, worker: Worker, queue: Queue, process: str, crew: Crew) -> None:
        """Give an idle worker its next task, if there is one."""
        taken = queue.take(process, worker.graph, crew.graphs)
        if taken is None:
            return
        number, task = taken
        if worker.is_full(task.graph):
            queue.put_back(number, task)
            crew.dismiss(worker)
        else:
            worker.begin(number, task, self._settings.time_limit)

    @contextmanager
    def _connected(self) -> Iterator[Driver]:
        """Hold what workers are told, once there is a cluster whose nodes are fit for the runs."""
        if self._cluster is None:
            self.start()
        assert self._cluster is not None
        self._cluster.wait()
        with told(self._cluster.is_local) as driver:
            with self._checking:
                if not self._is_checked and not self._cluster.is_local:
                    for place in places(driver):
                        self._check(place)
                self._is_checked = True
            yield driver
