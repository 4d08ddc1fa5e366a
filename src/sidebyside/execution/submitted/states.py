"""How a submitted launch is doing, as it can be told from here."""

import shlex
import socket
from dataclasses import dataclass

from sidebyside.errors import INTERRUPTED
from sidebyside.execution.executors.slurm_states import CANCELLED, LIVE, in_words, states
from sidebyside.execution.submitted import records
from sidebyside.execution.submitted.records import Submitted
from sidebyside.tracking.liveness import is_alive

_USAGE = 2


@dataclass(frozen=True)
class Status:
    """How a launch is doing.

    Attributes
    ----------
    state : str
        In a word or some: waiting, running, finished, failed, refused, stopped, killed.
    over : bool
        Whether it goes on no more.
    code : int
        The exit code of a launch that is over.
    advice : str
        What to do about it, if anything.
    """

    state: str
    over: bool = False
    code: int = 0
    advice: str = ""


def status_of(submitted: Submitted) -> Status:
    """Return how a launch is doing."""
    if submitted.job is not None:
        return _of_job(submitted, submitted.job)
    if (code := records.exit_code(submitted)) is not None:
        return _ended(submitted, code)
    tags = records.process_of(submitted)
    if tags is None or not is_alive(tags):
        return _killed(submitted, "killed")
    if (host := tags["process.host"]) != socket.gethostname():
        return Status(f"running on {host}, as far as can be told from here")
    return Status("running")


def _of_job(submitted: Submitted, job: str) -> Status:
    known = states([job])
    if known is None:
        return Status("unknown: Slurm doesn't answer")
    if (state := known[job]) in LIVE:  # it may have been queued again after it ended
        return Status("running" if state in ("RUNNING", "COMPLETING") else f"waiting ({state})")
    if (code := records.exit_code(submitted)) is not None:
        return _ended(submitted, code)
    if state == CANCELLED:
        return _ended(submitted, INTERRUPTED)
    return _killed(submitted, f"killed: {in_words(state)}")


def _ended(submitted: Submitted, code: int) -> Status:
    if code == 0:
        return Status("finished", over=True)
    if code == INTERRUPTED:
        return Status("stopped", True, code, again(submitted))
    if code == _USAGE:
        return Status("refused", True, code, f"{submitted.log} ends with the reason.")
    progress = records.progress_of(submitted)
    missing = progress["runs"] - progress["done"]
    state = f"failed with {missing} of {progress['runs']} runs" if missing else "failed"
    return Status(state, True, code, again(submitted))


def _killed(submitted: Submitted, state: str) -> Status:
    return Status(state, True, 1, again(submitted))


def again(submitted: Submitted) -> str:
    """Return how to go on with what is missing."""
    return (
        f"What is finished is kept; go on with: sidebyside submit {shlex.join(submitted.arguments)}"
    )
