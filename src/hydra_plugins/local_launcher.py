"""Hydra launcher: parallel runs on this machine."""

from collections.abc import Sequence

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class LocalLauncher(Launcher):
    """Names the settings from which the sweeper makes the executor of its runs.

    Parameters
    ----------
    workers : int or None
        Runs at a time; None is one per CPU that this process may use.
    time_limit : float or None
        Seconds for one run; None is without limit.
    memory_limit : int or None
        MiB of memory (resident) for one run; None is without limit.
    workers_per_gpu : int
        Runs at a time on a GPU, with ``training.device=gpu``.
    """

    def __init__(
        self,
        workers: int | None,
        time_limit: float | None,
        memory_limit: int | None,
        workers_per_gpu: int,
    ) -> None:
        """Take the settings that there are and no other."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Take nothing of what Hydra gives every launcher."""

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Refuse to run jobs for a sweeper that doesn't ask for the executor."""
        from sidebyside.errors import UserError

        raise UserError("hydra/launcher=local works with hydra/sweeper=study alone: choose that.")
