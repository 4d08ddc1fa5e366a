"""What runs tasks in parallel: processes of this machine, forked with TensorFlow imported."""

import importlib
import multiprocessing
import multiprocessing.context
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import Any, Protocol

import cloudpickle
import joblib
import psutil
from pebble import ProcessExpired, ProcessPool

from sidebyside.config.schema import Launcher

_PRELOADED = "sidebyside.execution.worker_imports"
_FIRST_TASK_WITHIN = 120  # seconds for the server to import TensorFlow and for one task
_OVER_MEMORY = 83  # exit code of a worker that ended itself; others have no meaning for it
_LOOK_EVERY = 0.25  # seconds between two looks at a worker's memory
_MIB = 2**20


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
    """

    call: Callable[[], Any]
    log: Path
    process: str = ""
    graph: str = ""
    cost: float = 0


class WorkerDiedError(Exception):
    """A worker ended without an answer; the message says how."""


class Executor(Protocol):
    """Runs tasks; all that is done in parallel goes through one."""

    def start(self) -> None:
        """Let it get ready while others go on; it does so itself, but then has to be waited for."""

    def first(self, task: Task) -> Any:
        """Do one task and return its result, or raise what it raised."""

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Any]]:
        """Do all tasks, the longest first; yield the number and the result of each as it ends.

        The result is an exception where the task failed; one that fails ends no other. When the
        iteration is left early, or the process is interrupted, running tasks are stopped.
        """


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
    """

    def __init__(
        self,
        workers: int | None = None,
        time_limit: float | None = None,
        memory_limit: int | None = None,
    ) -> None:
        self._count = int(joblib.cpu_count()) if workers is None else workers
        self._time_limit = time_limit
        self._memory_limit = memory_limit
        self._start_method = _start_method()

    @classmethod
    def from_settings(cls, settings: Launcher) -> "LocalExecutor":
        """Return the executor that a config's ``hydra.launcher`` describes."""
        limits = settings.get("time_limit"), settings.get("memory_limit")
        return cls(settings.get("workers"), *limits)

    def start(self) -> None:
        """Let the server that workers are forked from import TensorFlow while others go on."""
        if self._start_method != "forkserver":
            return
        os.environ["OPENBLAS_NUM_THREADS"] = "1"  # a thread in the server would be lost in a fork
        source = str(Path(__file__).resolve().parents[2])
        others = os.environ.get("PYTHONPATH", "")
        if source not in others.split(os.pathsep):
            os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [source, others]))
        forkserver.set_forkserver_preload([_PRELOADED])
        # Ctrl-C reaches the whole group. The server and the workers inherit that it isn't for them,
        # where they would print a traceback in the midst of an import.
        resource_tracker.ensure_running()  # which unblocks it
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])

    def first(self, task: Task) -> Any:
        """Do one task, trying whether workers can be forked here at all.

        Where they can't, later ones are started from scratch, which is slower. The limits are those
        of runs, and not of what is asked before.
        """
        if self._start_method == "forkserver":
            with self._pools(1) as [pool]:
                future = self._schedule(pool, task, _FIRST_TASK_WITHIN, None)
                try:
                    return future.result()
                except (ProcessExpired, TimeoutError):
                    self._start_method = "spawn"
        with self._pools(1) as [pool]:
            return self._schedule(pool, task, None, None).result()

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Any]]:
        """Do all tasks, see `Executor`."""
        for process in dict.fromkeys(task.process for task in tasks):
            numbers = [number for number, task in enumerate(tasks) if task.process == process]
            yield from self._run({number: tasks[number] for number in numbers})

    def _run(self, tasks: dict[int, Task]) -> Iterator[tuple[int, Any]]:
        queue = _Queue(tasks)
        # A pool for each worker, as a pool of many gives any task to any of them.
        with self._pools(min(self._count, len(tasks))) as pools:
            idle = list(pools)
            running: dict[Future[Any], tuple[ProcessPool, int]] = {}
            while idle or running:
                for pool in idle:
                    if (number := queue.take(pool)) is not None:
                        limits = self._time_limit, self._memory_limit
                        running[self._schedule(pool, tasks[number], *limits)] = (pool, number)
                idle = []
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    pool, number = running.pop(future)
                    idle.append(pool)
                    yield number, self._outcome(future)

    def _outcome(self, future: "Future[Any]") -> Any:
        try:
            return future.result()
        except ProcessExpired as error:
            if error.exitcode == _OVER_MEMORY:
                return WorkerDiedError(f"it took more than memory_limit={self._memory_limit} MiB")
            return WorkerDiedError(f"its process died ({_exit(error.exitcode)})")
        except TimeoutError:
            return WorkerDiedError(f"it took longer than time_limit={self._time_limit} s")
        except Exception as error:
            return error

    def _schedule(
        self, pool: ProcessPool, task: Task, time_limit: float | None, memory_limit: int | None
    ) -> "Future[Any]":
        preloaded = self._start_method == "forkserver"
        payload = cloudpickle.dumps(task.call)
        arguments = [payload, str(task.log), preloaded, memory_limit]
        future: Future[Any] = pool.schedule(_work, args=arguments, timeout=time_limit)
        return future

    @contextmanager
    def _pools(self, count: int) -> Iterator[list[ProcessPool]]:
        self.start()
        context = type(multiprocessing.get_context(self._start_method))()  # not the one all share
        context.Process = _PROCESSES[self._start_method]  # type: ignore[attr-defined]
        pools = [ProcessPool(max_workers=1, context=context) for _ in range(count)]
        try:
            yield pools
            for pool in pools:
                pool.close()
        except BaseException:
            for pool in pools:
                pool.stop()
            raise
        finally:
            for pool in pools:
                pool.join()


class _Queue:
    """Tasks that wait for a worker."""

    def __init__(self, tasks: dict[int, Task]) -> None:
        self._tasks = tasks
        self._waiting = sorted(tasks, key=lambda number: -tasks[number].cost)
        self._graphs: dict[ProcessPool, str] = {}

    def take(self, pool: ProcessPool) -> int | None:
        """Return the number of the next task of a worker, None where there is no more.

        One that it has the graph for, else one that no other worker has it for, else any.
        """
        own, others = self._graphs.get(pool), set(self._graphs.values())
        ranked = (
            lambda graph: graph == own,
            lambda graph: graph not in others,
            lambda graph: True,
        )
        for fits in ranked:
            for number in self._waiting:
                if fits(self._tasks[number].graph):
                    self._waiting.remove(number)
                    self._graphs[pool] = self._tasks[number].graph
                    return number
        return None


def _start_method() -> str:
    return "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


@contextmanager
def _main_hidden() -> Iterator[None]:
    """Let no process that is started meanwhile run the main module.

    It would run a script that calls this package once more, unless its calls are guarded; no task
    needs it, as cloudpickle brings what a task is made of.
    """
    main = vars(sys.modules["__main__"])
    hidden: dict[str, Any] = {
        name: main.pop(name) for name in ("__file__", "__spec__") if name in main
    }
    main["__spec__"] = None
    try:
        yield
    finally:
        main |= hidden


class _Spawned(multiprocessing.context.SpawnProcess):
    def start(self) -> None:
        with _main_hidden():
            super().start()


_PROCESSES: dict[str, type] = {"spawn": _Spawned}

if _start_method() == "forkserver":

    class _Forked(multiprocessing.context.ForkServerProcess):
        def start(self) -> None:
            with _main_hidden():
                super().start()

    _PROCESSES["forkserver"] = _Forked


def _work(payload: bytes, log: str, preloaded: bool, memory_limit: int | None) -> Any:
    """Do a task in a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent acts
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _watch(memory_limit)
    _print_to(Path(log))
    if preloaded and _PRELOADED not in sys.modules:
        importlib.import_module(_PRELOADED)  # the server hides why it couldn't; this says so
        raise RuntimeError(f"the server that workers are forked from hasn't imported {_PRELOADED}")
    try:
        return pickle.loads(payload)()  # noqa: S301 - written by this very program
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


@cache  # once a worker, however many tasks it does
def _watch(memory_limit: int | None) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if memory_limit is not None:
        threading.Thread(target=_end_over, args=[memory_limit * _MIB], daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _end_over(memory_limit: int) -> None:
    # Not by RLIMIT_AS: it counts addresses, of which TensorFlow reserves far more than it uses.
    process = psutil.Process()
    while process.memory_info().rss <= memory_limit:
        time.sleep(_LOOK_EVERY)
    os._exit(_OVER_MEMORY)


def _print_to(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    sys.stdout.flush()
    sys.stderr.flush()
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)


def _exit(code: int | None) -> str:
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"
