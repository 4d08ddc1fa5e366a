"""The engines that run tasks, and what each of them can't do, for one suite that all must pass."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from sidebyside.config.launchers import ENGINES
from sidebyside.execution.executors.chosen import executor_of
from sidebyside.execution.executors.interface import Executor
from support.slurm import running_slurm


@dataclass(frozen=True)
class Engine:
    """An engine as ``hydra/launcher`` names it.

    Attributes
    ----------
    name : str
    keeps_apart : bool
        Whether a task has a process of its own: it may die alone, and has limits.
    in_order : bool
        Whether it chooses itself which task is next; a cluster's own queue may be before it.
    starts_again : bool
        Whether a task that was lost is started once more.
    may_be_here : bool
        Whether tests sweep in their own process, of which it leaves nothing behind.
    needs : callable
        A context manager without which it can't run tasks; it ends what executors leave.
    """

    name: str
    keeps_apart: bool = True
    in_order: bool = True
    starts_again: bool = False
    may_be_here: bool = True
    needs: Callable[[], AbstractContextManager[None]] = nullcontext

    def knows(self, *names: str) -> bool:
        """Whether it has such settings."""
        return set(names) <= ENGINES[self.name].__dataclass_fields__.keys()

    def executor(self, **settings: Any) -> Executor:
        """Return an executor with settings, as far as there are such."""
        own = {key: value for key, value in settings.items() if self.knows(key)}
        return executor_of(ENGINES[self.name](engine=self.name, **own))

    def arguments(self, **settings: Any) -> list[str]:
        """Return a command's arguments for it, with settings as far as there are such."""
        own = {key: value for key, value in settings.items() if self.knows(key)}
        return [
            f"hydra/launcher={self.name}",
            *(f"hydra.launcher.{key}={value}" for key, value in own.items()),
        ]


@contextmanager
def _ray() -> Iterator[None]:
    from sidebyside.execution.executors.ray_core.cluster import leave

    yield
    leave()


ALL = (
    Engine("local"),
    Engine("serial", keeps_apart=False),
    Engine("ray", starts_again=True, may_be_here=False, needs=_ray),
    Engine("slurm", in_order=False, starts_again=True, needs=running_slurm),
)
