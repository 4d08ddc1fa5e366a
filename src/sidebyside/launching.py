"""One launch of many runs: looked at before, watched meanwhile, told about afterwards."""

import signal
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sidebyside import keys, store
from sidebyside.errors import UserError
from sidebyside.factors import Level, variant_name
from sidebyside.preprocess import prepare
from sidebyside.progress import watch
from sidebyside.quiet import greetings_hidden
from sidebyside.results import StudyRun, write_train_results
from sidebyside.schema import Config, Launch
from sidebyside.tables import print_failures, print_side_by_side
from sidebyside.workers import Task, WorkerDiedError, Workers

INTERRUPTED = 130  # the shell's exit code for Ctrl-C


@dataclass(frozen=True)
class Job:
    """One run of a launch: its checked config and what the sweep calls it."""

    config: Config
    factors: dict[str, Level]

    @property
    def variant(self) -> str:
        """The name of the variant."""
        return variant_name(self.factors)

    def __str__(self) -> str:
        return f"{self.variant},seed={self.config.seed}".lstrip(",")


# Starts one run per Launch, in order, and returns an exception for each that failed, else None.
Start = Callable[[list[Launch]], list[BaseException | None]]


def launch(jobs: Sequence[Job], start: Start, log_folder: Path) -> None:
    """Check all ``jobs``, start them, and end the program if not all of them finish.

    Raises
    ------
    UserError
        Before anything is started, if a run can't be trained here.
    SystemExit
        With 1 if a run failed, with 130 after Ctrl-C or SIGTERM.
    """
    store.check_writable()
    cards = _cards(jobs)
    with greetings_hidden():
        from sidebyside.tracking import Tracker
    first = jobs[0].config
    tracker = Tracker(first.tracking)
    tracker.prepare()
    _check_trainable(jobs, log_folder)
    tracker.close_dead()
    launch_id = uuid.uuid4().hex[:12]
    parent = _open_parent(tracker, jobs, launch_id)
    launches = [
        Launch(launch_id, parent, key, job.variant, job.factors)
        for key, job in zip(cards, jobs, strict=True)
    ]
    epochs = {key: job.config.training.epochs for key, job in zip(cards, jobs, strict=True)}
    status = "KILLED"
    try:
        with _interruptible(), watch(launch_id, epochs):
            outcomes = start(launches)
        failures = {key: error for key, error in zip(cards, outcomes, strict=True) if error}
        status = "FAILED" if failures else "FINISHED"
    except KeyboardInterrupt:
        _say_how_to_go_on(len(store.announced(launch_id)), len(jobs))
        raise SystemExit(INTERRUPTED) from None
    finally:
        tracker.close_dead()
        tracker.finish(parent, status)
        store.forget_launch(launch_id)
    _finish(jobs, launches, cards, failures, tracker)


def _cards(jobs: Sequence[Job]) -> dict[str, Any]:
    """Return what identifies each run, by run key and in the order of ``jobs``."""
    identities: dict[str, Any] = {}
    seen: dict[str, Job] = {}
    for job in jobs:
        arrays = prepare(job.config.dataset, job.config.data_format)
        identity = keys.identity(job.config, arrays)
        key = keys.run_key(identity)
        if key in seen:
            raise UserError(
                f"Two runs of this sweep are the same: {seen[key]} and {job}. Sweep values that "
                "differ and change the result."
            )
        seen[key], identities[key] = job, identity
    return identities


def _check_trainable(jobs: Sequence[Job], log_folder: Path) -> None:
    configs = [job.config for job in jobs]
    Workers(1).first(Task(partial(_in_worker, configs), log_folder / "preflight.txt"))


def _in_worker(configs: Sequence[Config]) -> None:
    from sidebyside.preflight import check_trainable

    check_trainable(configs)


def _open_parent(tracker: Any, jobs: Sequence[Job], launch_id: str) -> str:
    config = jobs[0].config
    if config.study:
        name = f"{config.study.name} on {config.dataset.name}"
        tags = {"study": config.study.name, "dataset": config.dataset.name, "level": "parent"}
        return str(tracker.open_parent(name, tags, reopen=True))
    names = list(jobs[0].factors) or ["one run"]
    tags = {"launch": launch_id, "level": "parent"}
    return str(tracker.open_parent(f"multirun over {', '.join(names)}", tags, reopen=False))


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM end a launch as Ctrl-C does."""

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _say_how_to_go_on(done: int, total: int) -> None:
    print(
        f"\nInterrupted: {done} of {total} runs are finished and kept. The same command again "
        "goes on with the others.",
        file=sys.stderr,
    )


def _finish(
    jobs: Sequence[Job],
    launches: Sequence[Launch],
    cards: dict[str, Any],
    failures: dict[str, BaseException],
    tracker: Any,
) -> None:
    from sidebyside.tracking import Card

    runs = []
    for key, job, launched in zip(cards, jobs, launches, strict=True):
        runs.append(StudyRun(key, job.variant, job.factors, job.config.seed))
        if isinstance(error := failures.get(key), WorkerDiedError):  # too dead to report it itself
            study = job.config.study.name if job.config.study else None
            tracker.fail(Card(key, cards[key]["recipe"], launched, study), str(error))
    config = jobs[0].config
    finished = [run for run in runs if run.key not in failures]
    if config.evaluate:
        print_side_by_side(finished)
    if failures:
        print_failures([run for run in runs if run.key in failures], failures)
        print("MLflow has the reason of each failure as its artifact failure.txt.")
        raise SystemExit(1)
    if config.study and not config.evaluate:
        write_train_results(config, runs)
