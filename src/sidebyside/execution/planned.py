"""The runs of a launch: which are in the committed evidence, and which are to be trained."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

from sidebyside.config.datasets import Dataset
from sidebyside.config.factors import Level
from sidebyside.config.schema import Config
from sidebyside.engine.blocks import Instance
from sidebyside.engine.summary import operations
from sidebyside.errors import UserError
from sidebyside.execution.executors.tasks import Task
from sidebyside.execution.train import Job, plan, train_job
from sidebyside.storage import cards, keys
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
            If two runs are the same, or of two datasets of one name, or are to be trained on a GPU
            and there is none.
        """
        for device in {config.training.device for config, _ in wanted}:
            cards.card_for(device)
        _check_datasets([config.dataset for config, _ in wanted])
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


def _check_datasets(datasets: Sequence[Dataset]) -> None:
    """Raise a UserError if two datasets of one name differ, which would share their arrays."""
    first = {dataset.name: dataset for dataset in reversed(datasets)}
    for dataset in datasets:
        if (other := first[dataset.name]) != dataset:
            keys = [own.name for own in fields(dataset)]
            key = next(k for k in keys if getattr(other, k) != getattr(dataset, k))
            raise UserError(
                f"A sweep has dataset={dataset.name} with {key}={getattr(other, key)} and with "
                f"{getattr(dataset, key)}, which would share a place: copy conf/dataset/"
                f"{dataset.name}.yaml under another name, and sweep dataset."
            )


def task_of(job: Job, folder: Path) -> Task:
    """Return the task of training a run in a worker, which prints to a file in ``folder``."""
    return Task(
        partial(train_job, job),
        folder / "output.txt",
        process=keys.process(job.identity),
        graph=job.run.variant,
        cost=_cost(job.config),
        gpu=keys.on_gpu(job.identity),
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
    from sidebyside.storage.evidence_files import committed

    evidence = committed(config.dataset.name, config.study.name)
    known = {(run.variant, run.seed): run for run in evidence.runs} if evidence else {}
    held = {}
    for job in jobs:
        run = known.get((job.run.variant, job.run.seed))
        if run and keys.task(run.identity) == keys.task(job.identity):
            held[job.run.key] = replace(job.run, key=run.key, in_evidence=True)
    return held
