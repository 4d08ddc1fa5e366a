"""Hydra launcher: parallel runs on this machine, each in a fresh process."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, configure_log, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict


class LocalLauncher(Launcher):
    """Runs jobs in a pool of processes forked with TensorFlow already imported.

    Parameters
    ----------
    workers : int or None
        Runs at a time; None is one per CPU that this process may use.
    time_limit : float or None
        Seconds for one run; None is without limit.
    memory_limit : int or None
        MiB of memory (resident) for one run; None is without limit.
    """

    def __init__(
        self, workers: int | None, time_limit: float | None, memory_limit: int | None
    ) -> None:
        self._workers = workers
        self._time_limit = time_limit
        self._memory_limit = memory_limit
        self._config: DictConfig
        self._hydra_context: HydraContext
        self._task_function: TaskFunction

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Take what Hydra gives every launcher."""
        self._hydra_context = hydra_context
        self._task_function = task_function
        self._config = config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run all jobs and return how they ended, in order; one that fails ends no other."""
        from sidebyside.execution.executors import Task, Workers, worker_count

        setup_globals()
        configure_log(self._config.hydra.hydra_logging, self._config.hydra.verbose)
        folder = Path(self._config.hydra.sweep.dir)
        tasks = []
        for number, overrides in enumerate(job_overrides, start=initial_job_idx):
            config = self._compose(number, overrides)
            job = partial(
                _run, self._hydra_context, self._task_function, config, Singleton.get_state()
            )
            tasks.append(Task(job, folder / str(number) / "output.txt"))
        workers = Workers(worker_count(self._workers), self._time_limit, self._memory_limit)
        outcomes = dict(workers.run(tasks))
        return [_as_return(outcomes[number]) for number in range(len(tasks))]

    def _compose(self, number: int, overrides: Sequence[str]) -> DictConfig:
        loader = self._hydra_context.config_loader
        config = loader.load_sweep_config(self._config, list(overrides))
        with open_dict(config):
            config.hydra.job.id = f"{config.hydra.job.name}_{number}"
            config.hydra.job.num = number
        return config


def _run(
    hydra_context: HydraContext,
    task_function: TaskFunction,
    config: DictConfig,
    singletons: dict[Any, Any],
) -> JobReturn:
    """Run one job in a worker."""
    setup_globals()
    Singleton.set_state(singletons)
    return run_job(
        hydra_context=hydra_context,
        task_function=task_function,
        config=config,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )


def _as_return(outcome: Any) -> JobReturn:
    if isinstance(outcome, JobReturn):
        return outcome
    failed = JobReturn(status=JobStatus.FAILED)
    failed.return_value = outcome
    return failed
