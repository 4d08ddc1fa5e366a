"""The workers of a kind: as many as the cluster has room and the run has work for."""

import sys
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

import ray

from sidebyside.config.launchers import Ray
from sidebyside.errors import UserError
from sidebyside.execution.executors.interface import WorkerDiedError
from sidebyside.execution.executors.ray_core.actor import Driver, Place
from sidebyside.execution.executors.ray_core.nodes import room
from sidebyside.execution.executors.ray_core.workers import LostError, Worker, kill
from sidebyside.execution.executors.tasks import Task

_LOOK_EVERY = 0.5  # seconds between two looks at limits where nothing else happens
_COUNT_EVERY = 5  # seconds between two looks at how many nodes there are
_TELL_AFTER = 30  # seconds without a worker
_MOST_FAILURES = 3  # workers that die, one after the other, before they are ready
_GOES_ON = object()

Ended = tuple[int, Task, Any]  # the number of a task, and what it gave, raised, or was lost by


class Crew:
    """Workers that have GPUs or not, none of which has been given to another kind of process.

    Parameters
    ----------
    settings : Ray
    driver : Driver
    gpu : bool
    check : callable
        Given where a worker is, it raises a UserError if that won't do; it is left without work.
    """

    def __init__(
        self, settings: Ray, driver: Driver, gpu: bool, check: Callable[[Place], None]
    ) -> None:
        self._settings, self._driver, self._gpu = settings, driver, gpu
        self._check = check
        self._workers: list[Worker] = []
        self._unfit: list[Worker] = []
        self._failures = 0
        self._waits_since: float | None = time.monotonic()
        self._room = room(settings, gpu)
        self._counted = time.monotonic()

    @property
    def idle(self) -> list[Worker]:
        """Those that are ready and have nothing to do."""
        return [worker for worker in self._workers if worker.place and worker.task is None]

    @property
    def busy(self) -> int:
        """How many are at a task."""
        return sum(worker.task is not None for worker in self._workers)

    @property
    def graphs(self) -> set[str | None]:
        """What any of them has ready."""
        return {worker.graph for worker in self._workers}

    def fill(self, waiting: int) -> None:
        """Start workers for so many tasks that wait, as far as there is room."""
        most = min(self._most(), self.busy + waiting)
        for _ in range(most - len(self._workers)):
            worker = Worker(self._settings, self._driver, self._gpu, self._settings.memory_limit)
            self._workers.append(worker)

    def end(self) -> None:
        """End all of them, whatever they do."""
        kill([*self._workers, *self._unfit])
        self._workers, self._unfit = [], []

    def dismiss(self, worker: Worker) -> None:
        """End one."""
        self._workers.remove(worker)
        kill([worker])

    def wait(self) -> list[Ended]:
        """Wait until something happens, for a moment at most; return which tasks have ended.

        Raises
        ------
        UserError
            If what runs need can't be imported on a node, or workers die before they begin.
        """
        awaited = [sign for worker in self._workers for sign in worker.awaited]
        told, _ = ray.wait(awaited, timeout=_LOOK_EVERY)
        if told:
            told, _ = ray.wait(awaited, num_returns=len(awaited), timeout=0)
        self._tell_of_waiting()
        ended = []
        for worker in list(self._workers):
            number, task = worker.number, worker.task
            outcome = self._outcome(worker, set(told))
            if outcome is not _GOES_ON:
                assert number is not None
                assert task is not None
                ended.append((number, task, outcome))
        return ended

    def _outcome(self, worker: Worker, told: Collection[Any]) -> Any:
        """Return how a worker's task ended, if it did; end a worker that won't do."""
        if worker.is_warm(told):
            self._greet(worker)
            return _GOES_ON
        if worker.has_answered(told):
            return self._answer(worker)
        limits = self._settings
        if worker.is_over_memory(told):
            reason = f"it took more than memory_limit={limits.memory_limit} MiB"
        elif worker.is_late():
            reason = f"it took longer than time_limit={limits.time_limit} s"
        else:
            if worker.is_gone(told) and worker.task is None:
                self.dismiss(worker)
            return _GOES_ON
        if worker.place is None:
            self._fail(worker, LostError(reason))
            return _GOES_ON
        was_busy = worker.task is not None
        self.dismiss(worker)
        return WorkerDiedError(reason) if was_busy else _GOES_ON

    def _answer(self, worker: Worker) -> Any:
        try:
            return worker.end_task()
        except LostError as error:
            self.dismiss(worker)
            return error

    def _greet(self, worker: Worker) -> None:
        """Let a worker that is ready be idle, or unfit where its node won't do."""
        try:
            place = worker.arrive()
        except LostError as error:
            self._fail(worker, error)
            return
        self._failures, self._waits_since = 0, None
        try:
            self._check(place)
        except UserError as error:
            if self._room <= len(self._unfit) + 1:
                raise
            print(f"{error} That node is left without work.", file=sys.stderr, flush=True)
            # It keeps its place, into which Ray would put the next one.
            self._workers.remove(worker)
            self._unfit.append(worker)

    def _fail(self, worker: Worker, error: LostError) -> None:
        self.dismiss(worker)
        self._failures += 1
        if self._failures > _MOST_FAILURES:
            raise UserError(
                f"{self._failures} workers on the Ray cluster ended before they could begin, the "
                f"last because {error}: raise hydra.launcher.memory_limit if it is that, else "
                "`ray logs` on its nodes says more."
            )

    def _most(self) -> int:
        """Return how many workers there may be; nodes come and go."""
        if time.monotonic() > self._counted + _COUNT_EVERY:
            self._counted = time.monotonic()
            with suppress(UserError):  # all nodes with room may be gone for now
                self._room = room(self._settings, self._gpu)
        return max(1, (self._settings.workers or self._room) - len(self._unfit))

    def _tell_of_waiting(self) -> None:
        since = self._waits_since
        if since is not None and time.monotonic() > since + _TELL_AFTER:
            self._waits_since = None
            print(
                "Still waiting for room on the Ray cluster: others may be using it, which `ray "
                "status` tells.",
                file=sys.stderr,
                flush=True,
            )
