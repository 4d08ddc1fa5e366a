"""Hydra launchers: each names the settings from which the sweeper makes an executor."""

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class SettingsLauncher(Launcher):
    """Carries the settings of ``conf/hydra/launcher/<name>.yaml``, which the sweeper checks."""

    def __init__(self, **settings: Any) -> None:
        """Take whatever there is, see `sidebyside.config.launchers`."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Take nothing of what Hydra gives every launcher."""

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Refuse to run jobs for a sweeper that doesn't ask for the executor."""
        from sidebyside.errors import UserError

        raise UserError("This hydra/launcher works with hydra/sweeper=study alone: choose that.")
