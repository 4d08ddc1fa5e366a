"""The runs of a launch: which are in the committed evidence, and which are to be trained."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from sidebyside.config.factors import Level
from sidebyside.config.schema import Config
from sidebyside.engine.blocks import Instance
from sidebyside.engine.summary import operations
from sidebyside.errors import UserError
from sidebyside.execution.tasks import Task
from sidebyside.execution.train import Job, plan, train_job
from sidebyside.storage import keys
from sidebyside.storage.results import StudyRun

_CHANNELS_FIRST = 1.5  # how much longer an operation takes, see docs/performance.md

Wanted = tuple[Config, Mapping[str, Level]]  # a config, and the levels that a sweep gives it


class Planned:
    """The runs of a launch, of which there may be more and more.

    Attributes
    ----------
    held : dict of StudyRun
        Those that needn't be trained to complete the committed evidence, by run key.
    """

    def __init__(self) -> None:
        self.held: dict[str, StudyRun] = {}
        self._jobs: dict[str, Job] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, wanted: Sequence[Wanted]) -> list[Job]:
        """Plan further runs and return those that aren't in the committed evidence.

        Raises
        ------
        UserError
            If two runs are the same.
        """
        jobs = [plan(config, factors) for config, factors in wanted]
        for job in jobs:
            if (same := self._jobs.get(job.run.key)) is not None:
                raise UserError(
                    f"Two runs of this sweep are the same: {same.run} and {job.run}. Sweep values "
                    "that differ and change the result."
                )
            self._jobs[job.run.key] = job
        self.held |= _held_in_evidence(jobs)
        return [job for job in jobs if job.run.key not in self.held]

    def runs(self) -> list[StudyRun]:
        """Return all runs: variants in the order in which they came, seeds that of each."""
        by_variant: dict[str, list[StudyRun]] = {}
        for key, job in self._jobs.items():
            by_variant.setdefault(job.run.variant, []).append(self.held.get(key, job.run))
        return [run for own in by_variant.values() for run in own]


def task_of(job: Job, folder: Path) -> Task:
    """Return the task of training a run in a worker, which prints to a file in ``folder``."""
    return Task(
        partial(train_job, job),
        folder / "output.txt",
        process=keys.process(job.identity),
        graph=job.run.variant,
        cost=_cost(job.config),
    )


def _cost(config: Config) -> float:
    """Return how long a run's training takes, up to a constant factor."""
    images = config.dataset.size * config.training.epochs
    if isinstance(config.model, Instance):
        return images
    of_an_image = operations(config.model, config.dataset.shape, config.dataset.classes)
    return images * of_an_image * (_CHANNELS_FIRST if config.data_format == "channels_first" else 1)


def _held_in_evidence(jobs: Sequence[Job]) -> dict[str, StudyRun]:
    """Return the runs that needn't be trained to complete the committed evidence, by run key.

    Recipe and data have to be the same. Code and environment may be others: whoever can't make the
    same bits any more can still add seeds.
    """
    config = jobs[0].config
    if not (config.study and config.training.complete_evidence):
        return {}
    from sidebyside.storage.evidence import committed

    evidence = committed(config.dataset.name, config.study.name)
    known = {(run.variant, run.seed): run for run in evidence.runs} if evidence else {}
    held = {}
    for job in jobs:
        run = known.get((job.run.variant, job.run.seed))
        if run and keys.task(run.identity) == keys.task(job.identity):
            held[job.run.key] = replace(job.run, key=run.key, in_evidence=True)
    return held
