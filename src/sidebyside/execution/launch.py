"""One launch of many runs: looked at before, watched meanwhile, written down afterwards."""

import sys
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sidebyside.config.factors import Level
from sidebyside.config.schema import Config
from sidebyside.data.prepare import prepare
from sidebyside.engine.summary import operations
from sidebyside.engine.training.numerics import CLASSES, resolve
from sidebyside.errors import INTERRUPTED, UserError
from sidebyside.execution.executors import Executor, Task, WorkerDiedError
from sidebyside.execution.progress import watch
from sidebyside.execution.train import DivergedError, Job, is_finished, plan, train_job
from sidebyside.stderr import greetings_hidden
from sidebyside.storage import journal, keys, staleness, store
from sidebyside.storage.evaluations import stored_evaluation
from sidebyside.storage.results import StudyRun, write_evaluate_results, write_train_results

if TYPE_CHECKING:
    from sidebyside.tracking.client import Tracker

_SAMPLES = (4, 10)  # rows and columns of the grid of digits
_CHANNELS_FIRST = 1.5  # how much longer an operation takes, see docs/performance.md

Wanted = tuple[Config, Mapping[str, Level]]  # a config, and the levels that a sweep gives it


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
    finished: Collection[str] = (),
) -> Launched:
    """Check all runs, train them, and leave what a study has got in ``results/``.

    Parameters
    ----------
    wanted : sequence of (Config, dict)
    executor : Executor
    log_folder : pathlib.Path
        For what the workers print.
    finished : collection of str
        Keys of runs that this program has launched before.

    Raises
    ------
    UserError
        Before anything is started, if a run can't be trained here.
    SystemExit
        With 130 after Ctrl-C or SIGTERM; what is finished is kept.
    """
    store.check_writable()
    config, _ = wanted[0]
    jobs = _plan(wanted)
    held = _held_in_evidence(jobs)
    if held and not finished:
        print(f"{len(held)} of {len(jobs)} runs are in the committed evidence.", file=sys.stderr)
    # Evidence first: its runs have no files here, whatever this program has launched.
    done = held.keys() | set(finished)
    open_jobs = [job for job in jobs if job.run.key not in done]
    got: set[str] = set(finished)
    failures: dict[str, BaseException] = {}
    try:
        if open_jobs:
            failures = _launch(open_jobs, executor, log_folder, got)
    finally:
        if got or not open_jobs:
            _write_results(config, jobs, held, got, failures)
    return Launched([held.get(job.run.key, job.run) for job in jobs], failures)


def _launch(
    jobs: Sequence[Job], executor: Executor, log_folder: Path, got: set[str]
) -> dict[str, BaseException]:
    """Train runs under a parent in MLflow and return what went wrong, by run key.

    The keys of those that are finished are added to ``got``, however this ends.
    """
    config = jobs[0].config
    missing = [job.identity for job in jobs if not store.holds(job.run.key)]
    if stale := staleness.explain(missing):
        print(stale, file=sys.stderr)
    if (numerics := resolve(config.training.numerics)) != CLASSES[0]:
        print(
            f"Numeric class {numerics}, not {CLASSES[0]}: other bits than in committed results; "
            "`git diff reports` shows by how much findings differ.",
            file=sys.stderr,
        )
    done = {job.run.key for job in jobs if is_finished(job)}
    launch_id = uuid.uuid4().hex[:12]
    with TemporaryDirectory() as folder:
        with _preflight(jobs, done, executor, log_folder):  # which takes as long as to connect
            with greetings_hidden():
                from sidebyside.tracking.client import Tracker
            tracker = Tracker(config.tracking)
            tracker.prepare()
            samples = _draw_samples(config, Path(folder))
        tracker.close_dead()
        parent = _open_parent(tracker, config, list(jobs[0].run.factors), launch_id)
        tracker.log_file(parent, samples)
    jobs = [replace(job, parent=parent, launch=launch_id) for job in jobs]
    journal.record("launched", config.dataset.name, [job.run.key for job in jobs], "train")
    status = "KILLED"
    try:
        failures = _train(jobs, done, launch_id, executor, log_folder)
        status = "FAILED" if failures else "FINISHED"
    except KeyboardInterrupt:
        print(
            f"\nInterrupted: {len(store.announced(launch_id))} of {len(jobs)} runs are finished "
            "and kept. The same command again goes on with the others.",
            file=sys.stderr,
        )
        raise SystemExit(INTERRUPTED) from None
    finally:
        got |= store.announced(launch_id)
        store.forget_launch(launch_id)
        tracker.close_dead()
        tracker.finish(parent, status)
    for job in jobs:
        if isinstance(error := failures.get(job.run.key), WorkerDiedError):
            tracker.end_early(job.card, "FAILED", str(error))  # too dead to report it itself
    return failures


def _train(
    jobs: Sequence[Job], done: Collection[str], launch_id: str, executor: Executor, log_folder: Path
) -> dict[str, BaseException]:
    """Train runs in parallel and return what went wrong, by run key in the order of ``jobs``.

    Those that are ``done``, by run key, are logged alone, for which no worker is started.
    """
    failures: dict[str, BaseException] = {}
    with watch(launch_id, {job.run.key: job.config.training.epochs for job in jobs}):
        waiting = {number: job for number, job in enumerate(jobs) if job.run.key not in done}
        for number, job in enumerate(jobs):
            if number not in waiting:
                try:
                    train_job(job)
                except Exception as error:  # as of a run in a worker
                    failures[job.run.key] = error
        tasks = [_task(job, log_folder / str(number)) for number, job in waiting.items()]
        outcomes = dict(executor.run(tasks))
    for number, job in enumerate(waiting.values()):
        if isinstance(outcomes[number], BaseException):
            failures[job.run.key] = outcomes[number]
    return {job.run.key: failures[job.run.key] for job in jobs if job.run.key in failures}


def _task(job: Job, folder: Path) -> Task:
    return Task(
        partial(train_job, job),
        folder / "output.txt",
        process=keys.process(job.identity),
        graph=job.run.variant,
        cost=_cost(job.config),
    )


def _cost(config: Config) -> float:
    """Return how long a run's training takes, up to a constant factor."""
    height, width = config.dataset.image_shape
    of_an_image = operations(config.model, (height, width), config.dataset.classes)
    images = config.dataset.training_images * config.training.epochs
    return images * of_an_image * (_CHANNELS_FIRST if config.data_format == "channels_first" else 1)


def _plan(wanted: Sequence[Wanted]) -> list[Job]:
    jobs: dict[str, Job] = {}
    for config, factors in wanted:
        job = plan(config, factors)
        if (same := jobs.get(job.run.key)) is not None:
            raise UserError(
                f"Two runs of this sweep are the same: {same.run} and {job.run}. Sweep values that "
                "differ and change the result."
            )
        jobs[job.run.key] = job
    return list(jobs.values())


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


def _write_results(
    config: Config,
    jobs: Sequence[Job],
    held: Mapping[str, StudyRun],
    finished: Collection[str],
    failures: Mapping[str, BaseException],
) -> None:
    """Leave what a study's launch has got in ``results/``, for compare and for DVC."""
    got = held.keys() | set(finished)
    runs = [held.get(job.run.key, job.run) for job in jobs if job.run.key in got]
    if not config.study or not runs:
        return
    missing = [
        f"{job.run}{_why(failures.get(job.run.key))}" for job in jobs if job.run.key not in got
    ]
    write_train_results(config, runs, missing)
    if config.evaluate:
        write_evaluate_results(
            config.dataset.name,
            config.study.name,
            [stored_evaluation(run.key) for run in runs if not run.in_evidence],
        )


def _why(error: BaseException | None) -> str:
    """Return why a run is missing where that lies in the run itself."""
    return f" ({str(error).partition('. ')[0]})" if isinstance(error, DivergedError) else ""


@contextmanager
def _preflight(
    jobs: Sequence[Job], done: Collection[str], executor: Executor, log_folder: Path
) -> Iterator[None]:
    """Have TensorFlow asked meanwhile, in a worker, whether runs can be trained."""
    untrained = [job.config for job in jobs if job.run.key not in done]
    task = Task(partial(_check_trainable, untrained), log_folder / "preflight.txt")
    asked = executor.first(task) if untrained else None
    yield
    if asked:
        asked.result()


def _check_trainable(configs: Sequence[Config]) -> None:
    from sidebyside.execution.preflight import check_trainable

    check_trainable(configs)


def _open_parent(tracker: "Tracker", config: Config, factors: Sequence[str], launch_id: str) -> str:
    if config.study:
        return tracker.open_study(config.study.name, config.dataset.name)
    tags = {"launch": launch_id, "level": "parent"}
    name = f"multirun over {', '.join(factors or ['one run'])}"
    return tracker.open_parent(name, tags, reopen=False)


def _draw_samples(config: Config, folder: Path) -> Path:
    """Return a picture of what the images of a launch look like."""
    from sidebyside.report.samples import draw_sample_grid

    arrays = prepare(config.dataset, config.data_format)
    path = folder / "samples.png"
    draw_sample_grid(arrays, "train", 0, *_SAMPLES, path)
    return path
