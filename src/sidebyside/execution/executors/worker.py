"""What a worker process is: how it is started, and what it does around a task."""

import importlib
import multiprocessing
import multiprocessing.context
import multiprocessing.process
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from sidebyside.environment import adopt
from sidebyside.execution.executors.sendable import sendable

PRELOADED = "sidebyside.execution.executors.worker_imports"
OVER_MEMORY = 83  # exit code of a worker that ended itself; others have no meaning for it
LEFT = 84  # what stands for exit code 0, which a task's own code can end its process with
_LOOK_EVERY = 0.25  # seconds between two looks at a worker's memory
_MIB = 2**20


def start_method() -> str:
    """Return how processes are started here: forked from a server, or else from scratch."""
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


class _Worker(multiprocessing.process.BaseProcess):
    def start(self) -> None:
        with _main_hidden():
            super().start()

    @property
    def exitcode(self) -> int | None:
        # Pebble waits for the task of a process that has ended with 0, as if it were under way.
        code = super().exitcode
        return LEFT if code == 0 else code


class _Spawned(_Worker, multiprocessing.context.SpawnProcess):
    pass


PROCESSES: dict[str, type] = {"spawn": _Spawned}

if start_method() == "forkserver":

    class _Forked(_Worker, multiprocessing.context.ForkServerProcess):
        pass

    PROCESSES["forkserver"] = _Forked


def do(
    payload: bytes, log: str, preloaded: bool, memory_limit: int | None, variables: dict[str, str]
) -> Any:
    """Do a task in a worker, with what its asker has in the environment by now.

    The server that it is forked from may be older than that.
    """
    adopt(variables)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent acts
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _watch(memory_limit)
    print_to(Path(log))
    if preloaded and PRELOADED not in sys.modules:
        importlib.import_module(PRELOADED)  # the server hides why it couldn't; this says so
        raise RuntimeError(f"the server that workers are forked from hasn't imported {PRELOADED}")
    try:
        return pickle.loads(payload)()  # noqa: S301 - written by this very program
    except (Exception, SystemExit) as error:
        if (sent := sendable(error)) is error:
            raise
        raise sent from None
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
    os._exit(OVER_MEMORY)


def print_to(log: Path) -> None:
    """Let what this process prints from now on go to the end of a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    sys.stdout.flush()
    sys.stderr.flush()
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)
