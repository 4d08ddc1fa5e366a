"""The workers of a run, as the driver sees them."""

import socket
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import cloudpickle
import psutil
import ray
from ray.exceptions import RayActorError

from sidebyside import paths
from sidebyside.config.launchers import Ray
from sidebyside.errors import UserError
from sidebyside.execution.executors.ray_core.actor import Driver, Place, actor_class
from sidebyside.execution.executors.ray_core.nodes import needs
from sidebyside.execution.executors.tasks import Task

MOST_GRAPHS = 4  # that a process traces: TensorFlow keeps some 25 MiB of each for good
_ENDED_WITHIN = 5  # seconds for a process that is killed


class LostError(Exception):
    """A worker is gone, and what it was at; the message says how."""


class Worker:
    """An actor of Ray's: one process on some node, which does a task after the other.

    When it dies, whoever gave it a task decides what becomes of that.

    Attributes
    ----------
    number : int or None
        That of the task which it is at.
    task : Task or None
    place : Place or None
        None until Ray has found room for it, and TensorFlow is imported there.
    """

    def __init__(
        self, settings: Ray, driver: Driver, gpu: bool, memory_limit: int | None = None
    ) -> None:
        wanted = needs(settings, gpu)
        options: dict[str, Any] = {"num_cpus": wanted.get("CPU", 0)}
        if "GPU" in wanted:
            options["num_gpus"] = wanted["GPU"]
        if "memory" in wanted:
            options["memory"] = wanted["memory"]
        self._actor = actor_class(scheduling_strategy="SPREAD", **options).remote()
        self._settled = self._actor.settle.remote(driver)
        self._warm = self._actor.warm_up.remote(gpu)
        self._life = self._actor.watch.remote(memory_limit)
        self._answer: Any = None
        self._deadline: float | None = None
        self._graphs: list[str] = []
        self.number: int | None = None
        self.task: Task | None = None
        self.place: Place | None = None

    @property
    def graph(self) -> str | None:
        """What the process has ready."""
        return self._graphs[-1] if self._graphs else None

    @property
    def awaited(self) -> list[Any]:
        """What tells by Ray that something has happened to it."""
        next_step = self._answer if self.place else self._warm
        return [self._life] if next_step is None else [next_step, self._life]

    def is_warm(self, told: Collection[Any]) -> bool:
        """Whether it is ready for the first time, or died before, by what Ray has ``told``."""
        return self.place is None and self._warm in told

    def has_answered(self, told: Collection[Any]) -> bool:
        """Whether its task has ended, or died, by what Ray has ``told``."""
        return self._answer is not None and self._answer in told

    def is_over_memory(self, told: Collection[Any]) -> bool:
        """Whether its process is larger than it may be, by what Ray has ``told``."""
        if self._life not in told:
            return False
        try:
            ray.get(self._life)
        except RayActorError:
            return False
        return True

    def is_gone(self, told: Collection[Any]) -> bool:
        """Whether it has ended, or is about to, by what Ray has ``told``."""
        return self._life in told

    def is_full(self, graph: str) -> bool:
        """Whether a graph would make its process too large."""
        return graph != self.graph and len(self._graphs) >= MOST_GRAPHS

    def arrive(self) -> Place:
        """Return where it is, once it is warm.

        Raises
        ------
        LostError
            If it died before.
        UserError
            If the code or a package can't be imported there.
        """
        try:
            ray.get(self._warm)
            self.place = ray.get(self._settled)
        except RayActorError as error:
            if "import" in str(error) or error._actor_init_failed:
                raise _not_imported(str(error)) from None
            raise LostError(_how(error, "it was given")) from None
        except ImportError as error:
            raise _not_imported(str(error.__cause__ or error)) from None
        assert self.place is not None
        return self.place

    def begin(self, number: int, task: Task, time_limit: float | None = None) -> None:
        """Begin with a task; ``time_limit`` is seconds, None for none."""
        assert self.place is not None
        if task.graph != self.graph:
            self._graphs.append(task.graph)
        payload, log = cloudpickle.dumps(task.call), _log_at(self.place, task.log)
        self.number, self.task = number, task
        self._deadline = None if time_limit is None else time.monotonic() + time_limit
        self._answer = self._actor.do.remote(payload, log)

    def is_late(self) -> bool:
        """Whether its task has taken longer than it may."""
        return self._deadline is not None and time.monotonic() > self._deadline

    def end_task(self) -> Any:
        """Return what its task returned or raised.

        Raises
        ------
        LostError
            If it died meanwhile.
        """
        try:
            result, error = cloudpickle.loads(ray.get(self._answer))
        except RayActorError as death:
            assert self.place is not None
            raise LostError(_how(death, self.place.node)) from None
        self.number = self.task = self._answer = self._deadline = None
        return result if error is None else error

    def kill(self) -> None:
        """End it, whatever it does; nothing happens to one that is gone."""
        ray.kill(self._actor, no_restart=True)


def kill(workers: Iterable[Worker]) -> None:
    """End workers; those on this machine are gone when this returns."""
    processes = []
    for worker in workers:
        if worker.place and worker.place.host == socket.gethostname():
            with suppress(psutil.NoSuchProcess):
                processes.append(psutil.Process(worker.place.pid))
        worker.kill()
    psutil.wait_procs(processes, _ENDED_WITHIN)


def _log_at(place: Place, log: Path) -> Path:
    """Return where a log is on a node: in its home as in this one."""
    if place.is_shared:
        return log
    if log.is_relative_to(paths.home()):
        return place.home / log.relative_to(paths.home())
    return place.home.joinpath("outputs", *log.parts[-2:])


def _how(error: RayActorError, node: str) -> str:
    died = f"its node {node}" if "node has died" in str(error) else f"its process on node {node}"
    return f"{died} died"


def _not_imported(reason: str) -> UserError:
    line = reason.strip().splitlines()[-1]
    return UserError(
        f"A node of the Ray cluster can't import what runs need ({line}): install there what "
        "requirements.lock names, in the Python that `ray start` is given by."
    )
