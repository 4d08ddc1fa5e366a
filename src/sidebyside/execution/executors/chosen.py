"""The engine that a config chooses."""

from sidebyside.config.launchers import Launcher, Local, Slurm
from sidebyside.execution.executors.interface import Executor
from sidebyside.execution.executors.local import LocalExecutor
from sidebyside.execution.executors.serial import SerialExecutor
from sidebyside.execution.executors.slurm import SlurmExecutor


def executor_of(settings: Launcher) -> Executor:
    """Return the executor that a config's ``hydra.launcher`` describes."""
    if isinstance(settings, Local):
        limits = settings.time_limit, settings.memory_limit
        return LocalExecutor(settings.workers, *limits, settings.workers_per_gpu)
    if isinstance(settings, Slurm):
        return SlurmExecutor(settings)
    return SerialExecutor()
