"""Jobs of a Slurm cluster, submitted by submitit: an array of them, some tasks a job."""

import atexit
import pickle
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sidebyside import paths
from sidebyside.config.launchers import Slurm
from sidebyside.errors import UserError
from sidebyside.execution.executors.interface import More, WorkerDiedError, tell_lost
from sidebyside.execution.executors.slurm_chunk import BEGUN, RESULT, Chunk
from sidebyside.execution.executors.slurm_states import (
    CANCELLED,
    LIVE,
    PREEMPTED,
    in_words,
    seen_in,
    states,
)
from sidebyside.execution.executors.slurm_submission import cancel, check_slurm, submit
from sidebyside.execution.executors.tasks import Task

_LOOK_EVERY = 0.5  # seconds between two looks at the folder of the results
_ASK_EVERY = (1, 30)  # seconds between two questions to Slurm: at first, and in the long run
# Seconds, for a shared disk to show what a job that has ended left there, and for a busy controller
# to say that one which seems to have failed is queued again.
_RESULTS_WITHIN = 10
_GONE_WITHIN = 40  # seconds for cancelled jobs to end; Slurm kills after KillWait, mostly 30
_REFUSED_WITHIN = 600  # seconds for which lost tasks may find no place in a queue
_MOST_LOSSES = 2  # a lost task is started again once


class SlurmExecutor:
    """Jobs of a cluster, each of which does some tasks one after another.

    A job that is lost takes the task with it that it is at, which is started again once; the others
    go on in another job. Who cancels a job gets none instead.
    """

    elsewhere = True

    def __init__(self, settings: Slurm) -> None:
        self._settings = settings

    def start(self) -> None:
        """Raise a UserError where jobs can't be submitted from."""
        check_slurm()

    def first(self, task: Task) -> "Future[Any]":
        """Begin with one task in a job of its own, which tries whether jobs can run here at all."""
        future: Future[Any] = Future()

        def settle() -> None:
            try:
                ((_, outcome),) = self.run([task])
                if isinstance(outcome, BaseException):
                    future.set_exception(outcome)
                else:
                    future.set_result(outcome)
            except BaseException as error:
                future.set_exception(error)

        # Ctrl-C waits for no daemon; what has been submitted is cancelled at the exit.
        threading.Thread(target=settle, daemon=True).start()
        return future

    def run(self, tasks: Sequence[Task], more: More = tuple) -> Iterator[tuple[int, Any]]:
        """Do all tasks, see `sidebyside.execution.executors.interface.Executor`."""
        check_slurm()
        launch = _Launch(self._settings)
        atexit.register(launch.cancel)
        try:
            launch.add(tasks)
            launch.add(more())  # all that there are have been submitted, so none is left to begin
            while launch.tasks:
                if ended := list(launch.ended()):
                    yield from ended
                    launch.add(more())
                else:
                    time.sleep(_LOOK_EVERY)
        finally:
            launch.stop()
            atexit.unregister(launch.cancel)


@dataclass
class _Job:
    """A job under way: the numbers of its tasks, and since when it is known to have ended."""

    numbers: list[int]
    ended: float | None = None


@dataclass
class _Launch:
    """The jobs of one call of `run`.

    Attributes
    ----------
    tasks : dict of Task
        Those without a result, by number.
    """

    settings: Slurm
    tasks: dict[int, Task] = field(default_factory=dict)

    def __post_init__(self) -> None:
        name = f"{datetime.now():%Y-%m-%d/%H-%M-%S}-{uuid.uuid4().hex[:6]}"
        above = Path(self.settings.folder) if self.settings.folder else paths.home() / "outputs"
        self._folder = above.absolute() / "slurm" / name
        self._results = self._folder / "results"
        self._jobs: dict[str, _Job] = {}
        self._losses: Counter[int] = Counter()
        self._again: dict[int, Task] = {}
        self._refused_since: float | None = None
        self._next = 0
        self._changed = self._asked = time.monotonic()

    def add(self, tasks: Sequence[Task]) -> None:
        """Submit further tasks."""
        added = dict(enumerate(tasks, start=self._next))
        self._next += len(added)
        self.tasks |= added
        self._submit(added)

    def _submit(self, tasks: dict[int, Task]) -> None:
        if not tasks:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)  # an address among the arguments may hold a password
        self._results.mkdir(exist_ok=True)
        for gpu in (False, True):
            own = {number: task for number, task in tasks.items() if task.gpu is gpu}
            parts = _chunks(own, self.settings.chunk)
            chunks = [
                Chunk(self._results, {n: own[n] for n in part}, self.settings.requeues)
                for part in parts
            ]
            ids = submit(chunks, self.settings, self._folder, gpu)
            self._jobs |= {job: _Job(part) for job, part in zip(ids, parts, strict=True)}
        self._changed = time.monotonic()

    def ended(self) -> Iterator[tuple[int, Any]]:
        """Yield what has ended since the last look: results that are here, and tasks that are lost.

        Tasks that are to be started again are submitted.
        """
        yield from self._arrived()
        self._jobs = {
            job: own
            for job, own in self._jobs.items()
            if not self.tasks.keys().isdisjoint(own.numbers)
        }
        if not (self._jobs or self._again) or not self._time_to_ask():
            return
        known = states(self._jobs.keys()) if self._jobs else {}
        now = self._asked = time.monotonic()
        for job, state in (known or {}).items():
            own = self._jobs[job]
            if state in LIVE:
                own.ended = None  # it may have been queued again
            elif own.ended is None:
                own.ended = now
            elif now - own.ended > _RESULTS_WITHIN:
                del self._jobs[job]
                yield from self._lost(own, self._reason(job, state), state)
        self._submit_again()

    def _submit_again(self) -> None:
        """Submit tasks of lost jobs; where Slurm refuses them for a while, at a later question."""
        wanted, self._again = self._again, {}
        try:
            self._submit(wanted)
        except UserError as refusal:
            self._refused_since = self._refused_since or time.monotonic()
            if time.monotonic() - self._refused_since > _REFUSED_WITHIN:
                raise
            submitted = {number for job in self._jobs.values() for number in job.numbers}
            self._again = {n: task for n, task in wanted.items() if n not in submitted}
            print(f"{refusal} Slurm is asked again.", file=sys.stderr, flush=True)
        else:
            self._refused_since = None

    def _arrived(self) -> Iterator[tuple[int, Any]]:
        if self._results.is_dir():
            self._results.chmod(0o700)  # lets NFS ask anew what is in it
        for path in sorted(self._results.glob(f"*{RESULT}")):
            number = int(path.stem)
            if number in self.tasks:
                del self.tasks[number]
                self._changed = time.monotonic()
                yield number, pickle.loads(path.read_bytes())  # noqa: S301 - by our own job

    def _time_to_ask(self) -> bool:
        """Whether Slurm may be asked: seldom where nothing has changed for long."""
        now = time.monotonic()
        least, most = _ASK_EVERY
        return now - self._asked > min(max(least, (now - self._changed) / 10), most)

    def _lost(self, job: _Job, reason: str, state: str) -> Iterator[tuple[int, WorkerDiedError]]:
        """Yield the tasks of a lost job that aren't started again."""
        left = [number for number in job.numbers if number in self.tasks]
        under_way = left[:1]
        if not (self._results / f"{left[0]}{BEGUN}").exists():
            under_way = left  # it didn't get so far, and it lies in none of them
        if state != PREEMPTED:  # which lies in none either
            self._losses.update(under_way)
        for number in left:
            task = self.tasks[number]
            if state == CANCELLED or self._losses[number] == _MOST_LOSSES:
                del self.tasks[number]
                yield number, WorkerDiedError(reason)
            else:
                self._again[number] = task
        if left[0] in self._again:  # those that hadn't begun lose nothing
            tell_lost(reason, self._again[left[0]].log)

    def _reason(self, job: str, state: str) -> str:
        log = self._folder / f"{job}_0_log.err"
        return f"{in_words(seen_in(log, state))}: {log}"

    def cancel(self) -> None:
        """Cancel all jobs, without waiting for their end."""
        cancel(self._jobs)

    def stop(self) -> None:
        """Cancel the jobs that are under way and wait until they have ended."""
        if self.tasks:
            self.cancel()
            _wait_for_end(self._jobs.keys())
        self._jobs = {}
        for path in self._folder.glob("*.pkl"):  # what was asked, maybe with a password
            path.unlink(missing_ok=True)


def _chunks(tasks: dict[int, Task], most: int | None) -> list[list[int]]:
    """Return which tasks share a job: of one process, as far as possible of one graph.

    ``most`` is how many; with None all of a graph do. The longest jobs are first.
    """
    groups: dict[tuple[str, ...], list[int]] = {}
    for number, task in sorted(tasks.items(), key=lambda item: item[1].graph):
        key = (task.process,) if most else (task.process, task.graph)
        groups.setdefault(key, []).append(number)
    parts = [
        own[at : at + (most or len(own))]
        for own in groups.values()
        for at in range(0, len(own), most or len(own))
    ]
    return sorted(parts, key=lambda part: -sum(tasks[number].cost for number in part))


def _wait_for_end(jobs: Collection[str]) -> None:
    deadline = time.monotonic() + _GONE_WITHIN
    while time.monotonic() < deadline:
        known = states(jobs)
        if known is not None and LIVE.isdisjoint(known.values()):
            return
        time.sleep(_LOOK_EVERY)
