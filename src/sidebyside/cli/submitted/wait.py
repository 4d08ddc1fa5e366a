"""``sidebyside wait``."""

import sys
import time

import click

from sidebyside.errors import INTERRUPTED
from sidebyside.execution.submitted import records
from sidebyside.execution.submitted.states import Status, status_of

_LOOK_EVERY = 1  # seconds
_ASK_SLURM_EVERY = 5  # seconds


@click.command("wait")
@click.argument("name", metavar="ID")
def command(name: str) -> None:
    """Wait for a launch of `sidebyside submit`, and end with its exit code, 1 if it was killed.

    Ctrl-C ends the waiting and not the launch.
    """
    submitted = records.find(name)
    try:
        status = _waited(submitted)
    except KeyboardInterrupt:
        print(
            f"\nLaunch {submitted.id} goes on; `sidebyside cancel {submitted.id}` would stop it.",
            file=sys.stderr,
        )
        raise SystemExit(INTERRUPTED) from None
    print(f"launch {submitted.id}: {status.state}")
    if status.advice:
        print(status.advice)
    raise SystemExit(status.code)


def _waited(submitted: records.Submitted) -> Status:
    """Return how a launch ended, and say meanwhile what changes."""
    said = ""
    while True:
        status = status_of(submitted)
        now = f"{status.state}, {records.progress_of(submitted)['text']}"
        if now != said:
            print(now, file=sys.stderr, flush=True)
            said = now
        if status.over:
            return status
        time.sleep(_ASK_SLURM_EVERY if submitted.job else _LOOK_EVERY)
