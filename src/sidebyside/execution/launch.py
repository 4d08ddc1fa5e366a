"""One launch of many runs: looked at before, watched meanwhile, written down afterwards."""

import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sidebyside.config.schema import Config
from sidebyside.data.prepare import counting_on
from sidebyside.errors import INTERRUPTED, UserError
from sidebyside.execution.diverged import DivergedError
from sidebyside.execution.executors.interface import Executor, WorkerDiedError
from sidebyside.execution.executors.tasks import Task
from sidebyside.execution.jobs import Job
from sidebyside.execution.opening import (
    below_variants,
    draw_samples,
    open_parent,
    preflight,
    tell_differences,
)
from sidebyside.execution.planned import Planned, Wanted, finished_keys, shown, task_of
from sidebyside.execution.planning.asking import Before
from sidebyside.execution.planning.timings import note_start
from sidebyside.execution.progress import watch
from sidebyside.execution.reused import Reused
from sidebyside.execution.running import launches
from sidebyside.execution.sharing.launching import LaunchExchange
from sidebyside.execution.train import train_job
from sidebyside.stderr import greetings_hidden
from sidebyside.storage import cards, journal, store
from sidebyside.storage.evaluations import find_evaluation
from sidebyside.storage.own_sources import take_sources
from sidebyside.storage.results import StudyRun, write_evaluate_results, write_train_results

if TYPE_CHECKING:
    from sidebyside.tracking.shown.variants import Variants

More = Callable[[Sequence[StudyRun]], Sequence[Wanted]]  # given those that are finished


@dataclass(frozen=True)
class Launched:
    """How a launch ended.

    Attributes
    ----------
    runs : list of StudyRun
        All that were asked for, in that order.
    failures : dict
        What went wrong, by run key.
    """

    runs: list[StudyRun]
    failures: dict[str, BaseException]

    @property
    def finished(self) -> list[StudyRun]:
        """The runs whose files are here."""
        return [run for run in self.runs if run.key not in self.failures and not run.in_evidence]


def launch(
    wanted: Sequence[Wanted],
    executor: Executor,
    log_folder: Path,
    more: More = lambda runs: (),
    before: Before | None = None,
) -> Launched:
    """Check all runs, train them, and leave what a study has got in ``results/``.

    Parameters
    ----------
    wanted : sequence of (Config, dict)
    executor : Executor
    log_folder : pathlib.Path
        For what the workers print.
    more : callable
        Given the finished runs it returns further ones, of variants that are ``wanted``. It is
        asked whenever none is left to begin with, until it has none and all are finished.
    before : callable, optional
        Given the runs, the keys of those that are finished and the runs of the committed evidence
        before anything is trained; what it raises ends the launch.

    Raises
    ------
    UserError
        Before anything is started, if a run can't be trained here.
    SystemExit
        With 130 after Ctrl-C or SIGTERM; what is finished is kept.
    """
    store.check_writable()
    take_sources(config.model for config, _ in wanted)
    for device in {config.training.device for config, _ in wanted}:
        cards.card_for(device)  # refuses what isn't here before data's place is made
    title = launches.title_of(config for config, _ in wanted)
    with counting_on([(config.dataset, config.data_format) for config, _ in wanted], title):
        others = LaunchExchange.before([config for config, _ in wanted])
        planned = Planned()
        jobs = others.arrived(planned.add(wanted))
        if planned.held:
            told = f"{len(planned.held)} of {len(planned)} runs are in the committed evidence."
            print(told, file=sys.stderr)
        while not jobs and (added := more(planned.runs())):
            jobs = others.arrived(planned.add(added))
        sweep = _Sweep(planned, more, others, before, title)
        with launches.noted(sweep.seen):  # whose runs stay until they are in its results
            try:
                if jobs:
                    sweep.train(jobs, executor, log_folder)
            finally:
                if sweep.got or not jobs:
                    _write_results(wanted[0][0], planned, sweep.got, sweep.failures)
    runs = planned.runs()
    failed = [run.key for run in runs if run.key in sweep.failures]
    return Launched(runs, {key: sweep.failures[key] for key in failed})


class _Sweep:
    """The runs of a launch that aren't in the committed evidence, trained under one MLflow run.

    Attributes
    ----------
    got : set of str
        Keys of those that are finished, however the launch ends.
    failures : dict
        What went wrong, by run key.
    seen : Launch
        What others may know of it.
    """

    def __init__(
        self,
        planned: Planned,
        more: More,
        others: LaunchExchange,
        before: Before | None,
        title: str,
    ) -> None:
        self.got: set[str] = set()
        self.failures: dict[str, BaseException] = {}
        self._planned = planned
        self._more = more
        self._others = others
        self._before = before
        self._began = time.monotonic()
        self.seen = launches.Launch(launches.new_id(), title)
        self._launch = self.seen.id
        self._jobs: list[Job] = []
        self._done: set[str] = set()  # finished before
        self._parent: str | None = None
        self._reused: Reused | None = None
        self._variants: Variants | None = None

    def train(self, jobs: Sequence[Job], executor: Executor, log_folder: Path) -> None:
        """Train runs, and those that are added."""
        config = jobs[0].config
        tell_differences(jobs)
        done = self._finished(jobs)
        if self._before is not None:
            self._before(jobs, done, list(self._planned.held.values()))
            self._began = time.monotonic()  # whoever was asked has thought about it
        with TemporaryDirectory() as folder:
            with preflight(jobs, done, executor, log_folder):  # which takes as long as to connect
                with greetings_hidden():
                    from sidebyside.tracking.client import Tracker
                    from sidebyside.tracking.shown.variants import Variants
                tracker = Tracker(config.tracking)
                tracker.prepare()
                samples = draw_samples(config, Path(folder))
            tracker.close_dead()
            self._parent = open_parent(tracker, jobs, self._launch)
            tracker.log_file(self._parent, samples)
        self._reused = Reused(tracker, self._parent, self._launch)
        self._variants = Variants(tracker, self._parent)
        status = "KILLED"
        try:
            with watch(self.seen):
                self._train(self._begin(jobs, done), executor, log_folder)
            self._others.catch_up(store.announced(self._launch))
            status = "FAILED" if self.failures else "FINISHED"
        except KeyboardInterrupt:
            tracker.hurry()
            print(
                f"\nInterrupted: {len(self._kept())} of {len(self._jobs)} runs are finished and "
                "kept. The same command again goes on with the others.",
                file=sys.stderr,
            )
            raise SystemExit(INTERRUPTED) from None
        finally:
            self.got, told = self._kept(), store.announced(self._launch)
            store.forget_launch(self._launch)
            self._reused.remember(self._jobs, told)
            stopped = self.seen.runs.keys() - told - self.failures.keys()
            tracker.close_dead(stopped if executor.elsewhere else ())
            told_of = [job.card for job in self._jobs]
            self._variants.close(told_of, self.got, find_evaluation, status)
            tracker.finish(self._parent, status)
        for job in self._jobs:
            if isinstance(error := self.failures.get(job.run.key), WorkerDiedError):
                tracker.end_early(job.card, "FAILED", str(error))  # too dead to report it itself

    def _kept(self) -> set[str]:
        """Return the keys of the runs that are finished, whether or not MLflow was told by now."""
        return (self._done | store.announced(self._launch)) - self.failures.keys()

    def _begin(self, jobs: Sequence[Job], done: Collection[str]) -> list[Job]:
        """Return the runs that a worker has to train; those that are ``done`` are logged alone."""
        jobs = [replace(job, parent=self._parent, launch=self._launch) for job in jobs]
        by_dataset: dict[str, list[str]] = {}
        for job in jobs:
            by_dataset.setdefault(job.config.dataset.name, []).append(job.run.key)
        for dataset, own in by_dataset.items():
            journal.record("launched", dataset, own, "train")
        first = len(self._jobs)
        self._jobs += jobs
        assert self._reused is not None
        assert self._variants is not None
        finished = self._reused.unpublished([job for job in jobs if job.run.key in done])
        untrained = [job for job in jobs if job.run.key not in done]
        opened = below_variants(self._variants, [*finished, *untrained])
        known = {job.run.key: job for job in opened}
        self._jobs[first:] = [known.get(job.run.key, job) for job in jobs]
        for job in opened[: len(finished)]:
            try:
                train_job(job, shares=False)  # all that is finished is shared at once
            except Exception as error:  # as of a run in a worker
                self._fail(job.run.key, error)
        return opened[len(finished) :]

    def _train(self, jobs: list[Job], executor: Executor, log_folder: Path) -> None:
        """Train runs in parallel, those that are added among them."""
        trained = list(jobs)
        if jobs:
            note_start(time.monotonic() - self._began)
            self.seen.trains()

        def tasks(jobs: Sequence[Job]) -> list[Task]:
            return [task_of(job, log_folder / job.run.key[:12]) for job in jobs]

        def more() -> list[Task]:
            added = self._added()
            trained.extend(added)
            return tasks(added)

        for number, outcome in executor.run(tasks(jobs), more):
            job = trained[number]
            if isinstance(outcome, BaseException):
                self._fail(job.run.key, outcome)
            elif not store.is_announced(self._launch, job.run.key):
                self._bring(job)

    def _bring(self, job: Job) -> None:
        """Take a run whose worker has a home of its own, where it has announced it."""
        try:
            self._others.bring(job.run.key, job.config.evaluate)
            store.announce(self._launch, job.run.key)
        except UserError as error:
            self._fail(job.run.key, error)

    def _fail(self, key: str, error: BaseException) -> None:
        self.failures[key] = error
        self.seen.failed(key, error)

    def _finished(self, jobs: Sequence[Job]) -> set[str]:
        """Return the keys of the runs that are finished, all of which stay from now on."""
        runs = {job.run.key: shown(job) for job in jobs}
        self.seen.add(runs)
        done = finished_keys(jobs)
        self.seen.add({key: replace(runs[key], cost=0) for key in done})
        self._done |= done
        return done

    def _added(self) -> list[Job]:
        """Return the further runs that a worker has to train, after one that failed none."""
        while not self.failures:
            got = store.announced(self._launch)
            finished = [run for run in self._planned.runs() if run.key in got or run.in_evidence]
            if not (wanted := self._more(finished)):
                break
            jobs = self._others.arrived(self._planned.add(wanted))
            if jobs and (untrained := self._begin(jobs, self._finished(jobs))):
                return untrained
        return []


def _write_results(
    config: Config, planned: Planned, got: Collection[str], failures: Mapping[str, BaseException]
) -> None:
    """Leave what a study's launch has got in ``results/``, for compare and for DVC."""
    finished = [run for run in planned.runs() if run.in_evidence or run.key in got]
    if not config.study or not finished:
        return
    missing = [
        f"{run}{_why(failures.get(run.key))}" for run in planned.runs() if run not in finished
    ]
    write_train_results(config, finished, missing)
    if config.evaluate:
        write_evaluate_results(
            config.dataset.name,
            config.study.name,
            [run.key for run in finished if not run.in_evidence],
        )


def _why(error: BaseException | None) -> str:
    """Return why a run is missing where that lies in the run itself."""
    return f" ({str(error).partition('. ')[0]})" if isinstance(error, DivergedError) else ""
