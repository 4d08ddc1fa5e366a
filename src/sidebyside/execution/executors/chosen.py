"""The engine that a config chooses."""

from importlib.util import find_spec

from sidebyside.config.launchers import Launcher, Local, Ray, Slurm
from sidebyside.config.schema import Store, Tracking
from sidebyside.errors import UserError
from sidebyside.execution.executors.interface import Executor
from sidebyside.execution.executors.local import LocalExecutor
from sidebyside.execution.executors.serial import SerialExecutor
from sidebyside.execution.executors.slurm import SlurmExecutor


def executor_of(
    settings: Launcher, tracking: Tracking | None = None, shared: Store | None = None
) -> Executor:
    """Return the executor that a config's ``hydra.launcher`` describes.

    Parameters
    ----------
    settings : Launcher
    tracking : Tracking, optional
        Where its tasks log runs, if they do.
    shared : Store, optional
        Where they put them for other machines, if they do.

    Raises
    ------
    UserError
        If the engine isn't installed.
    """
    if isinstance(settings, Local):
        limits = settings.time_limit, settings.memory_limit
        return LocalExecutor(settings.workers, *limits, settings.workers_per_gpu)
    if isinstance(settings, Ray):
        return _ray_executor(settings, tracking, shared)
    if isinstance(settings, Slurm):
        return SlurmExecutor(settings)
    return SerialExecutor()


def _ray_executor(settings: Ray, tracking: Tracking | None, shared: Store | None) -> Executor:
    if find_spec("ray") is None:
        raise UserError(
            "hydra/launcher=ray needs Ray, which isn't installed: pip install 'sidebyside[ray]', "
            "in a clone pip install -e '.[ray]'; or choose hydra/launcher=local."
        )
    from sidebyside.execution.executors.ray_core.executor import RayExecutor

    return RayExecutor(settings, tracking, shared)
