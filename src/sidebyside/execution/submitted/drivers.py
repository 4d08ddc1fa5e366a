"""What drives a submitted launch: a process without a terminal, or a job of Slurm."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from sidebyside.config.launchers import Launcher, Slurm
from sidebyside.errors import UserError
from sidebyside.execution.executors.slurm_submission import (
    check_slurm,
    exports,
    outside_of_jobs,
    refused,
)
from sidebyside.execution.submitted import records
from sidebyside.execution.submitted.records import Submitted
from sidebyside.tracking.liveness import is_alive

_MODULE = "sidebyside.cli.submitted.driver"
_STARTED_WITHIN = 60  # seconds
_STOPPED_WITHIN = 120  # seconds
_LOOK_EVERY = 0.1  # seconds


def check_driver(launcher: Launcher) -> None:
    """Raise a UserError where an engine can't be reached from here."""
    if isinstance(launcher, Slurm):
        check_slurm()


def start(submitted: Submitted, arguments: Sequence[str], launcher: Launcher) -> Submitted:
    """Start what drives a launch and return it with what is known then.

    Raises
    ------
    UserError
        If Slurm doesn't take it, or it has ended at once.
    """
    command = [sys.executable, "-m", _MODULE, submitted.id, *arguments]
    if isinstance(launcher, Slurm) and launcher.driver == "job":
        submitted = replace(submitted, job=_submit(submitted, command, launcher))
        records.write(submitted)
        return submitted
    environment = os.environ | {records.VARIABLE: submitted.id}
    with submitted.log.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - this very program
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # what a terminal that is closed sends reaches it no more
        )
    deadline = time.monotonic() + _STARTED_WITHIN
    try:
        while records.process_of(submitted) is None:
            if process.poll() is not None or time.monotonic() > deadline:
                raise UserError(f"The launch hasn't started; {submitted.log} may say why.")
            time.sleep(_LOOK_EVERY)
        records.write(submitted)
    except BaseException:  # Ctrl-C too
        process.terminate()  # one that nobody could find would train unseen
        raise
    return submitted


def stop(submitted: Submitted) -> None:
    """Stop a launch as Ctrl-C would, and wait for its end.

    Raises
    ------
    UserError
        If it runs on another machine, doesn't end, or Slurm can't be told.
    """
    if submitted.job is not None:
        _cancel(submitted.job)
        return
    tags = records.process_of(submitted)
    assert tags is not None
    if (host := tags["process.host"]) != socket.gethostname():
        raise UserError(f"Launch {submitted.id} runs on {host}: stop it there.")
    with suppress(ProcessLookupError):  # ended in this moment
        os.kill(int(tags["process.id"]), signal.SIGTERM)
    deadline = time.monotonic() + _STOPPED_WITHIN
    while is_alive(tags):
        if time.monotonic() > deadline:
            raise UserError(
                f"Launch {submitted.id} hasn't ended in {_STOPPED_WITHIN} s: `kill -9 "
                f"{tags['process.id']}` ends it, and what is finished is kept all the same."
            )
        time.sleep(_LOOK_EVERY)


def _cancel(job: str) -> None:
    check_slurm()
    done = subprocess.run(  # noqa: S603 - Slurm's own command
        ["scancel", job],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UserError(f"Slurm doesn't cancel job {job}: {' '.join(done.stderr.split())}")


def _submit(submitted: Submitted, command: Sequence[str], launcher: Slurm) -> str:
    """Submit the driver as a job of its own and return the job's id."""
    named = {
        "job-name": f"sidebyside-{submitted.id}",
        "output": submitted.log,
        "open-mode": "append",
        "cpus-per-task": 1,
        "mem": f"{launcher.driver_memory}M",
        "time": launcher.driver_time,
        "partition": launcher.partition,
        "account": launcher.account,
        **launcher.parameters,
    }
    options = [
        f"--{name}" if value is True else f"--{name}={value}"
        for name, value in named.items()
        if value is not None
    ]
    script = ["#!/bin/sh", *exports(), f"export {records.VARIABLE}={submitted.id}"]
    script += [f"exec {shlex.join(command)}", ""]
    with outside_of_jobs():
        done = subprocess.run(  # noqa: S603 - Slurm's own command
            ["sbatch", "--parsable", *options],  # noqa: S607
            input="\n".join(script),
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise refused(done.stderr)
    return done.stdout.strip().partition(";")[0]
