"""What Slurm says of jobs: one question for all of them, and its answer in words."""

import subprocess
from collections.abc import Collection
from pathlib import Path

CANCELLED, PREEMPTED = "CANCELLED", "PREEMPTED"
FAILED, OUT_OF_MEMORY = "FAILED", "OUT_OF_MEMORY"
GONE = "GONE"  # a name of ours: Slurm knows nothing of a job, or no more
# A job in any other state has ended. One that is held or queued again may still run.
LIVE = frozenset(
    {
        "CONFIGURING",
        "COMPLETING",
        "PENDING",
        "REQUEUED",
        "REQUEUE_FED",
        "REQUEUE_HOLD",
        "RESIZING",
        "RESV_DEL_HOLD",
        "RUNNING",
        "SIGNALING",
        "SPECIAL_EXIT",
        "STAGE_OUT",
        "STOPPED",
        "SUSPENDED",
    }
)
_IN_WORDS = {
    "BOOT_FAIL": "the node of its job didn't start",
    CANCELLED: "its job was cancelled",
    "COMPLETED": "its job ended and left no result",
    "DEADLINE": "the deadline of its job passed",
    FAILED: "its job failed",
    GONE: "Slurm doesn't know its job any more",
    "NODE_FAIL": "the node of its job failed",
    OUT_OF_MEMORY: "its job took more memory than it had asked for",
    PREEMPTED: "its job was preempted",
    "TIMEOUT": "its job took longer than it had asked for",
}
_OVER_MEMORY = "exceeded memory limit"
_UNKNOWN_ID = "Invalid job id"
_ANSWER_WITHIN = 60  # seconds


def in_words(state: str) -> str:
    """Return what a state of a job means for a task of it, with Slurm's own word."""
    return f"{_IN_WORDS.get(state, 'its job ended')} ({state})"


def seen_in(log: Path, state: str) -> str:
    """Return the state of a failed job, for which Slurm may have told more in the job's log."""
    if state == FAILED and log.is_file() and _OVER_MEMORY in log.read_text(errors="replace"):
        return OUT_OF_MEMORY  # as where memory isn't limited by the kernel
    return state


def states(jobs: Collection[str]) -> dict[str, str] | None:
    """Return the state of each job, None where Slurm doesn't answer.

    Parameters
    ----------
    jobs : collection of str
        Ids, "12" of a job or "12_3" of one in an array.
    """
    arrays = ",".join(sorted({job.partition("_")[0] for job in jobs}))
    # Slurm forgets a job some minutes after its end; from then on it is in the accounting alone.
    known = _asked(
        "squeue", "--states=all", "--array", "--noheader", "--format=%i|%T", "-j", arrays
    )
    if known is None:
        return None
    if jobs - known.keys():
        kept = _asked(
            "sacct", "-X", "--noheader", "--parsable2", "--format=JobID,State", "-j", arrays
        )
        known = (kept or {}) | known
    return {job: known.get(job, GONE) for job in jobs}


def _asked(*command: str) -> dict[str, str] | None:
    """Return what a command says, a job a line; None where there is no answer."""
    try:
        done = subprocess.run(  # noqa: S603 - Slurm's own commands
            command, capture_output=True, text=True, check=False, timeout=_ANSWER_WITHIN
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return {} if _UNKNOWN_ID in done.stderr else None
    lines = [line.split("|") for line in done.stdout.splitlines() if "|" in line]
    # sacct says by whom: "CANCELLED by 1000".
    return {job: state.split()[0].rstrip("+") for job, state, *_ in lines if state}
