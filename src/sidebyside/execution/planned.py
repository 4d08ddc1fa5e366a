"""The runs of a launch: which are in the committed evidence, and which are to be trained."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

from sidebyside.config.datasets import Dataset
from sidebyside.config.factors import Level, own_seed
from sidebyside.config.protocols import FOLDS
from sidebyside.config.schema import Config
from sidebyside.data.arrays import ProcessedArrays
from sidebyside.data.prepare import prepare
from sidebyside.errors import UserError
from sidebyside.execution.evaluate import scored_by
from sidebyside.execution.executors.tasks import Task
from sidebyside.execution.jobs import Job, plan, retraining
from sidebyside.execution.planning.timings import cost
from sidebyside.execution.running.launches import RunShown
from sidebyside.execution.train import is_finished, train_job
from sidebyside.stderr import told
from sidebyside.storage import cards, keys, store
from sidebyside.storage.results import StudyRun
from sidebyside.storage.verified import Verified

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
        check_datasets([config.dataset for config, _ in wanted])
        jobs = list(told(_planned(wanted), len(wanted), "runs planned"))
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


def _planned(wanted: Sequence[Wanted]) -> Iterator[Job]:
    """Yield the job of each config; that of a variant's next seed is made from the one before."""
    before: Job | None = None
    prepared: dict[tuple[str, str], ProcessedArrays] = {}
    for config, factors in wanted:
        if before is None or not _differs_in_seed_alone(config, factors, before):
            place = config.dataset.name, config.data_format
            prepared[place] = prepared.get(place) or prepare(config.dataset, config.data_format)
            before = plan(config, factors, prepared[place])
        else:
            variant, seed = before.run.variant, config.seed
            if config.study and config.study.seeds == "independent":
                seed = own_seed(variant, seed)
            recipe = before.identity["recipe"] | {"seed": seed}
            identity = before.identity | {"recipe": recipe}
            run = StudyRun(keys.run_key(identity), variant, dict(factors), config.seed)
            before = Job(config, run, identity)
        yield before


def _differs_in_seed_alone(config: Config, factors: Mapping[str, Level], before: Job) -> bool:
    if config.protocol in FOLDS or factors != before.run.factors:  # a seed says which fold
        return False
    pairs = (
        (getattr(config, own.name), getattr(before.config, own.name))
        for own in fields(config)
        if own.name != "seed"
    )
    return all(one is other or one == other for one, other in pairs)


def finished_keys(jobs: Sequence[Job]) -> set[str]:
    """Return the keys of the runs of which `is_finished` is true.

    Those that were found whole before aren't read again.
    """
    verified, done = Verified(), set()
    for job in told(jobs, len(jobs), "runs looked up"):
        by = scored_by(job.identity["arrays"]) if job.config.evaluate else None
        if not retraining() and verified.is_whole(job.run.key, by):
            done.add(job.run.key)
        elif is_finished(job):
            done.add(job.run.key)
            verified.note(job.run.key, by)
    verified.save()
    return done


def check_datasets(datasets: Sequence[Dataset]) -> None:
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
        cost=cost(job.config),
        gpu=keys.on_gpu(job.identity),
    )


def shown(job: Job) -> RunShown:
    """Return what is shown of a run while it is trained."""
    epochs = job.config.training.epochs
    begun = min(store.epochs_done(job.run.key) or 0, epochs)
    return RunShown(str(job.run), epochs, cost(job.config), begun)


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
