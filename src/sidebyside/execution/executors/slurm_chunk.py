"""What a job of Slurm does: its tasks, one after another, each result written as it ends."""

import os
import pickle
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import cloudpickle

from sidebyside.environment import give_gpu, set_environment
from sidebyside.execution.executors.interface import WorkerDiedError
from sidebyside.execution.executors.sendable import sendable
from sidebyside.execution.executors.tasks import Task
from sidebyside.storage import cards

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

RESULT, BEGUN = ".result", ".begun"
_TERMINATED = 128 + signal.SIGTERM


class Chunk:
    """Tasks that share a job, and so a process, which is warm for all but the first.

    Whatever starts it again, Slurm or `checkpoint`, it goes on with the first that has no result.

    Parameters
    ----------
    folder : pathlib.Path
        For the results, on a disk that all nodes share.
    tasks : dict of Task
        By number.
    requeues : int
        How often the job may be queued again during one and the same task.
    """

    def __init__(self, folder: Path, tasks: Mapping[int, Task], requeues: int) -> None:
        self._folder = folder
        self._calls = {
            number: (cloudpickle.dumps(task.call), task.log, task.gpu)
            for number, task in tasks.items()
        }
        self._most = requeues
        self._requeued = dict.fromkeys(tasks, 0)

    def __call__(self) -> None:
        """Do the tasks that have no result; submitit calls it in the job."""
        # Slurm terminates what it cancels or preempts: as by Ctrl-C, a run says that it was killed.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        _interrupt_where_submitit_exits()
        set_environment()
        try:
            for number in self._left():
                call, log, gpu = self._calls[number]
                (self._folder / f"{number}{BEGUN}").touch()
                with _printed_to(log):
                    self._write(number, _outcome(call, gpu))
        except KeyboardInterrupt:
            raise SystemExit(_TERMINATED) from None

    def checkpoint(self) -> "DelayedSubmission | None":
        """Return what is left to do, as the time of the job is nearly over or it is preempted.

        Submitit queues the job again then. A run goes on from its last checkpoint of its own.
        """
        from submitit.helpers import DelayedSubmission

        at = self._left()[0]
        self._requeued[at] += 1
        if self._requeued[at] > self._most:
            reason = f"it hadn't ended after its job was queued again {self._most} times"
            self._write(at, WorkerDiedError(f"{reason} (hydra.launcher.requeues)"))
        return DelayedSubmission(self) if self._left() else None

    def _left(self) -> list[int]:
        return [n for n in self._calls if not (self._folder / f"{n}{RESULT}").exists()]

    def _write(self, number: int, outcome: Any) -> None:
        unfinished = self._folder / f".{number}.{os.getpid()}"
        unfinished.write_bytes(cloudpickle.dumps(outcome))
        os.replace(unfinished, self._folder / f"{number}{RESULT}")


def _interrupt_where_submitit_exits() -> None:
    """Let submitit's answer to the signal that the job's time is nearly over end as by Ctrl-C too.

    What it raises would pass for the own end of the task that is under way.
    """
    from submitit.core.utils import UncompletedJobError
    from submitit.slurm.slurm import SlurmJobEnvironment

    nearly_over = signal.Signals[f"SIG{SlurmJobEnvironment.USR_SIG}"]
    queue_again = signal.getsignal(nearly_over)
    assert callable(queue_again)

    def interrupt(number: int, frame: FrameType | None) -> None:
        try:
            queue_again(number, frame)
        except (SystemExit, UncompletedJobError):
            raise KeyboardInterrupt from None

    signal.signal(nearly_over, interrupt)


def _outcome(call: bytes, gpu: bool) -> Any:
    """Return what a call returns, or the exception that it raises."""
    try:
        if gpu:
            give_gpu(cards.places()[0])
        return pickle.loads(call)()  # noqa: S301 - written by this very program
    except (Exception, SystemExit) as error:  # one that ends its process ends no other
        return sendable(error)


@contextmanager
def _printed_to(log: Path) -> Iterator[None]:
    """Let what is printed meanwhile go to a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    saved = os.dup(1), os.dup(2)
    with log.open("ab", buffering=0) as file:
        _flush()
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    try:
        yield
    finally:
        _flush()
        for stream, before in zip((1, 2), saved, strict=True):
            os.dup2(before, stream)
            os.close(before)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
