"""What a worker is on its node: where its home is, and what it does around a task."""

import importlib
import os
import socket
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle
import psutil
import ray

from sidebyside.environment import drop_what_no_key_has, give_gpu
from sidebyside.execution.executors.sendable import sendable
from sidebyside.execution.executors.worker import OVER_MEMORY, PRELOADED, print_to

_WATCH = "watch"
_OWN_HOME = Path(".cache") / "sidebyside"  # below the user's folder, of a node with no other
_LOOK_EVERY = 0.25  # seconds between two looks at a worker's memory
_END_WITHIN = 5  # seconds for the driver to end a worker that is over its memory
_MIB = 2**20


@dataclass(frozen=True)
class Driver:
    """What workers are told of the process that launches.

    Attributes
    ----------
    root, home : pathlib.Path
        Its project and its home.
    probe : str
        The name of a file in its run store, which whoever shares that can see.
    environment : dict of str
        Variables to take over.
    is_local : bool
        Whether all workers are on its machine, and started by it.
    """

    root: Path
    home: Path
    probe: str
    environment: Mapping[str, str]
    is_local: bool


@dataclass(frozen=True)
class Place:
    """Where a worker is.

    Attributes
    ----------
    node : str
        The address of its node.
    host : str
        What that calls itself.
    pid : int
    home : pathlib.Path
    is_shared : bool
        Whether its home is the driver's.
    """

    node: str
    host: str
    pid: int
    home: Path
    is_shared: bool


class RayWorker:
    """Does one task after the other."""

    def settle(self, driver: Driver) -> Place:
        """Take over what the driver says, and return where this is."""
        os.environ.update(driver.environment)
        drop_what_no_key_has()  # by the shell that has started the node
        home, is_shared = _home(driver)
        os.environ["SIDEBYSIDE_HOME"] = str(home)
        os.environ["SIDEBYSIDE_ROOT"] = str(_root(driver, home, is_shared))
        node = ray.util.get_node_ip_address()
        return Place(node, socket.gethostname(), os.getpid(), home, is_shared)

    def warm_up(self, gpu: bool) -> None:
        """Import TensorFlow, which sees the GPU that Ray gives this process, or none."""
        if gpu:
            give_gpu(os.environ["CUDA_VISIBLE_DEVICES"])
        else:
            os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        importlib.import_module(PRELOADED)

    def do(self, payload: bytes, log: Path) -> bytes:
        """Do a task that prints to ``log``; return what it returned, or else what it raised."""
        print_to(log)
        try:
            return _packed(cloudpickle.loads(payload)())
        except BaseException as error:
            return _failed(error)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()

    @ray.method(concurrency_group=_WATCH)  # beside what else it does
    def watch(self, memory_limit: int | None) -> None:
        """Return once this process is over its MiB of memory, else never.

        Whoever waits for it learns by an error of Ray's that the process is gone.
        """
        process = psutil.Process()
        while memory_limit is None or process.memory_info().rss <= memory_limit * _MIB:
            time.sleep(_LOOK_EVERY)
        # The driver ends it, unless that is too busy.
        threading.Timer(_END_WITHIN, os._exit, [OVER_MEMORY]).start()


def actor_class(**options: Any) -> Any:
    """Return Ray's class of workers; Ray itself starts nothing again that is lost."""
    again = {"max_restarts": 0, "max_task_retries": 0}
    return ray.remote(concurrency_groups={_WATCH: 1}, **again, **options)(RayWorker)


def _home(driver: Driver) -> tuple[Path, bool]:
    """Return the home here and whether it is the driver's.

    That of the node's environment, else the driver's where it can be seen, else one of the node.
    """
    named = None if driver.is_local else os.environ.get("SIDEBYSIDE_HOME")
    home = Path(named) if named else driver.home
    is_shared = (home / "runs" / driver.probe).exists()
    return (home if named or is_shared else Path.home() / _OWN_HOME), is_shared


def _root(driver: Driver, home: Path, is_shared: bool) -> Path:
    """Return the project's root here: the driver's, or else the one that came with the code.

    Data of the latter are kept in the node's home, as Ray takes the folder away again.
    """
    if is_shared and driver.root.is_dir():
        return driver.root
    data = Path("data").absolute()
    (home / "data").mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):  # by another worker
        data.symlink_to(home / "data")
    return data.parent


def _packed(result: Any) -> bytes:
    try:
        packed: bytes = cloudpickle.dumps((result, None))
        cloudpickle.loads(packed)
    except Exception as reason:
        return _failed(RuntimeError(f"its result can't be sent: {reason}"))
    return packed


def _failed(error: BaseException) -> bytes:
    packed: bytes = cloudpickle.dumps((None, sendable(error)))
    return packed
