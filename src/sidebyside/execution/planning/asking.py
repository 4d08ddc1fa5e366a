"""The line at the head of a sweep, and the question before a long one."""

import os
import sys
from collections.abc import Callable, Collection, Sequence

from sidebyside.config.launchers import Launcher
from sidebyside.errors import UserError
from sidebyside.execution.jobs import Job
from sidebyside.execution.planning.plans import Plan, plan_of_jobs
from sidebyside.storage.results import StudyRun

Before = Callable[[Sequence[Job], Collection[str], Sequence[StudyRun]], None]


def heading(launcher: Launcher, limit: float | None = None) -> Before:
    """Return what prints the plan of a launch before it starts, and asks about a long one.

    Parameters
    ----------
    launcher : Launcher
    limit : float, optional
        Minutes above which whoever sits at a terminal is asked; None never asks.
    """

    def before(jobs: Sequence[Job], done: Collection[str], held: Sequence[StudyRun]) -> None:
        plan = plan_of_jobs(jobs, done, launcher, held)
        print(plan.line(), file=sys.stderr, flush=True)
        if warning := plan.warning():
            print(f"warning: {warning}", file=sys.stderr)
        ask(plan, limit)

    return before


def ask(plan: Plan, limit: float | None) -> None:
    """Ask whether to start a launch that takes longer than so many minutes.

    Nobody is asked where there is no terminal, or DVC has started this.

    Raises
    ------
    UserError
        If the answer isn't yes.
    """
    if limit is None or plan.seconds <= 60 * limit or "DVC_STAGE" in os.environ:
        return
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):  # None where it is closed
        return
    print(
        f"That is more than ask_above={limit:g} minutes. Start it? [y/N] ", end="", file=sys.stderr
    )
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UserError("Nothing was started. ask_above=null asks no more.")
