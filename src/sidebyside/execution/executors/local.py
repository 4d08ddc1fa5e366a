"""Processes of this machine, forked with TensorFlow imported.

Those that compute on a GPU are started from scratch instead, as CUDA survives no fork.
"""

import multiprocessing
import multiprocessing.context
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

import cloudpickle
import joblib
from pebble import ProcessExpired, ProcessPool

from sidebyside.environment import give_gpu, ours
from sidebyside.execution.executors.interface import More, WorkerDiedError
from sidebyside.execution.executors.tasks import Queue, Task
from sidebyside.execution.executors.worker import (
    LEFT,
    OVER_MEMORY,
    PRELOADED,
    PROCESSES,
    do,
    start_method,
)
from sidebyside.storage import cards

_FORKED_WITHIN = 120  # seconds for the server to import TensorFlow, and for a worker to begin
_TIMED_OUT = "Task timeout"  # as Pebble says it
_MOST_GRAPHS = 4  # that a process traces: TensorFlow keeps some 25 MiB of each for good


class LocalExecutor:
    """Processes of this machine that do one task after another.

    One that dies takes the task with it that it is at and no other; a new one takes its place.

    Parameters
    ----------
    workers : int or None
        Tasks at a time; None is one per CPU that this process may use.
    time_limit : float or None
        Seconds for one task.
    memory_limit : int or None
        MiB of resident memory for one task.
    workers_per_gpu : int
        Tasks at a time on a GPU, for those that ask for one.
    gpus : sequence of str, optional
        What each worker is to see, in CUDA's words. There is a worker for each, started from
        scratch, instead of a number of ``workers``; all tasks go to these.
    """

    elsewhere = False

    def __init__(
        self,
        workers: int | None = None,
        time_limit: float | None = None,
        memory_limit: int | None = None,
        workers_per_gpu: int = 1,
        gpus: Sequence[str] = (),
    ) -> None:
        count = int(joblib.cpu_count()) if workers is None else workers
        self._gpus = gpus
        self._places: list[str | None] = [*gpus] or [None] * count
        self._most = workers
        self._per_gpu = workers_per_gpu
        self._time_limit = time_limit
        self._memory_limit = memory_limit
        self._start_method = "spawn" if gpus else start_method()

    def start(self) -> None:
        """Let the server that workers are forked from import TensorFlow while others go on."""
        if self._start_method != "forkserver":
            return
        os.environ["OPENBLAS_NUM_THREADS"] = "1"  # a thread in the server would be lost in a fork
        source = str(Path(__file__).resolve().parents[3])
        others = os.environ.get("PYTHONPATH", "")
        if source not in others.split(os.pathsep):
            os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [source, others]))
        forkserver.set_forkserver_preload([PRELOADED])
        # Ctrl-C reaches the whole group. The server and the workers inherit that it isn't for them,
        # where they would print a traceback in the midst of an import.
        resource_tracker.ensure_running()  # which unblocks it
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])

    def first(self, task: Task) -> "Future[Any]":
        """Begin with one task, which tries whether workers can be forked here at all.

        Where they can't, later ones are started from scratch, which is slower. The limits are those
        of runs, and not of what is asked before.
        """
        future: Future[Any] = Future()

        def settle() -> None:
            try:
                future.set_result(self._where(task)._first(task))
            except BaseException as error:
                future.set_exception(error)

        # Ctrl-C waits for no daemon, and the worker ends with this process.
        threading.Thread(target=settle, daemon=True).start()
        return future

    def _first(self, task: Task) -> Any:
        if self._start_method == "forkserver" and not self._forks(task.log):
            self._start_method = "spawn"
            print(
                "No worker can be forked here: each imports TensorFlow by itself.", file=sys.stderr
            )
        with self._workers(self._places[:1]) as [worker]:
            outcome = self._outcome(self._schedule(worker.pool, task, None, None))
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def _forks(self, log: Path) -> bool:
        """Whether the server imports TensorFlow and a worker can be forked from it."""
        with self._workers(self._places[:1]) as [worker]:
            outcome = self._outcome(
                self._schedule(worker.pool, Task(os.getpid, log), _FORKED_WITHIN, None)
            )
        return not isinstance(outcome, BaseException)

    def run(self, tasks: Sequence[Task], more: More = tuple) -> Iterator[tuple[int, Any]]:
        """Do all tasks, see `sidebyside.execution.executors.interface.Executor`."""
        queue = Queue(tasks)
        while queue or queue.add(more()):
            yield from self._where(queue.first)._run(queue, more)

    def _where(self, task: Task) -> "LocalExecutor":
        """Return the executor for a task: one whose workers have GPUs where it asks for one.

        Each GPU has a worker before any has two.
        """
        if self._gpus or not task.gpu:
            return self
        gpus = (cards.places() * self._per_gpu)[: self._most]
        return LocalExecutor(None, self._time_limit, self._memory_limit, gpus=gpus)

    def _run(self, queue: Queue, more: More) -> Iterator[tuple[int, Any]]:
        """Do the first task and all that may share a process with it."""
        process = queue.first.process
        limits = self._time_limit, self._memory_limit
        with self._workers(self._places) as workers:
            idle = list(workers)
            running: dict[Future[Any], tuple[_Worker, int]] = {}
            while True:
                for worker in list(idle):
                    if not queue:
                        queue.add(more())
                    others = {other.graph for other in workers}
                    if (taken := queue.take(process, worker.graph, others)) is not None:
                        number, task = taken
                        pool = worker.pool_for(task.graph)
                        running[self._schedule(pool, task, *limits)] = worker, number
                        idle.remove(worker)
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    worker, number = running.pop(future)
                    idle.append(worker)
                    yield number, self._outcome(future)

    def _outcome(self, future: "Future[Any]") -> Any:
        try:
            return future.result()
        except ProcessExpired as error:
            if error.exitcode == OVER_MEMORY:
                return WorkerDiedError(f"it took more than memory_limit={self._memory_limit} MiB")
            return WorkerDiedError(f"its process died ({_exit(error.exitcode)})")
        except BrokenProcessPool:  # in the moment in which it was given the task
            return WorkerDiedError("its process died before it began")
        except TimeoutError as error:
            if error.args[:1] != (_TIMED_OUT,):  # one that the task itself met, of a disk say
                return error
            return WorkerDiedError(f"it took longer than time_limit={self._time_limit} s")
        except (Exception, SystemExit) as error:  # one that ends its process ends no other
            return error

    def _schedule(
        self, pool: ProcessPool, task: Task, time_limit: float | None, memory_limit: int | None
    ) -> "Future[Any]":
        preloaded = self._start_method == "forkserver"
        payload = cloudpickle.dumps(task.call)
        arguments = [payload, str(task.log), preloaded, memory_limit, ours()]
        future: Future[Any] = pool.schedule(do, args=arguments, timeout=time_limit)
        return future

    @contextmanager
    def _workers(self, places: Sequence[str | None]) -> Iterator[list["_Worker"]]:
        self.start()
        context = type(multiprocessing.get_context(self._start_method))()  # not the one all share
        context.Process = PROCESSES[self._start_method]  # type: ignore[attr-defined]
        workers = [_Worker(context, gpu) for gpu in places]
        try:
            yield workers
            for worker in workers:
                worker.pool.close()
        except BaseException:
            for worker in workers:
                worker.pool.stop()
            raise
        finally:
            for worker in workers:
                worker.pool.join()


class _Worker:
    """A pool of one process, as a pool of many gives any task to any of them."""

    def __init__(self, context: BaseContext, gpu: str | None) -> None:
        self._context = context
        self._gpu = gpu
        self._graphs: list[str] = []
        self.pool = self._new_pool()

    @property
    def graph(self) -> str | None:
        """What the process has ready."""
        return self._graphs[-1] if self._graphs else None

    def pool_for(self, graph: str) -> ProcessPool:
        """Return the pool for a task, of a new process where this one has grown too large.

        So it is where the process died without a task: such a pool takes none any more.
        """
        too_large = graph != self.graph and len(self._graphs) == _MOST_GRAPHS
        if too_large or not self.pool.active:
            self.pool.stop()
            self.pool.join()
            self.pool, self._graphs = self._new_pool(), []
        if graph != self.graph:
            self._graphs.append(graph)
        return self.pool

    def _new_pool(self) -> ProcessPool:
        if self._gpu is None:
            return ProcessPool(max_workers=1, context=self._context)
        first = {"initializer": give_gpu, "initargs": [self._gpu]}
        return ProcessPool(max_workers=1, context=self._context, **first)


def _exit(code: int | None) -> str:
    if code is not None and -code in set(signal.Signals):
        return signal.Signals(-code).name
    return f"exit code {0 if code == LEFT else code}"
