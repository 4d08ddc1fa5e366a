"""Commands: run to the end, in a process of their own or in this one, or started and watched."""

import io
import logging
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import IO, Any
from unittest.mock import patch

from support.projects import environment


def run(
    command: Sequence[str],
    project: Path,
    home: Path,
    cwd: Path | None = None,
    timeout: float = 300,
    **more: str,
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end, within so many seconds, at ``home`` if nowhere else."""
    return subprocess.run(
        command,
        env=environment(project, home, **more),
        cwd=cwd or home,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def run_here(
    command: Sequence[str], project: Path, home: Path, cwd: Path | None = None, **more: str
) -> "subprocess.CompletedProcess[str]":
    """Run a command of Python's to its end in this process, for which it imports nothing again.

    Its workers are forked from the server of this process, which has TensorFlow by then.

    Parameters
    ----------
    command : sequence of str
        The interpreter, then a script or ``-m`` and a module, then arguments.
    """
    _, *arguments = command
    said, errors = io.StringIO(), io.StringIO()
    with (
        patch.dict(os.environ, environment(project, home, **more), clear=True),
        # What Abseil's logging, which TensorFlow brings, writes to and mustn't close.
        patch.multiple(sys, __stdout__=sys.stdout, __stderr__=sys.stderr),
        chdir(cwd or home),
        redirect_stdout(said),
        redirect_stderr(errors),
        _left_as_it_was(),
    ):
        code = _called(arguments)
    return subprocess.CompletedProcess(list(command), code, said.getvalue(), errors.getvalue())


def _called(arguments: Sequence[str]) -> int:
    module = arguments[0] == "-m"
    name, *own = arguments[1:] if module else arguments
    sys.argv = [name, *own]
    try:
        if module:
            runpy.run_module(name, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(name, run_name="__main__")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


@contextmanager
def _left_as_it_was() -> Iterator[None]:
    """Undo what a program sets once and needn't put back."""
    root = logging.getLogger()
    handlers, level, argv, path = [*root.handlers], root.level, sys.argv, [*sys.path]
    hook, raises = sys.unraisablehook, logging.raiseExceptions
    by_signal = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        sys.argv, sys.path[:] = argv, path
        sys.unraisablehook, logging.raiseExceptions = hook, raises
        for number, handler in by_signal.items():
            signal.signal(number, handler)


class Started(subprocess.Popen[str]):
    """A process in a session of its own, which ends with all of that where a test fails.

    Many would train for ever: whoever waited for them would never tell of the failure.
    """

    def __init__(self, command: Sequence[str], **how: Any) -> None:
        super().__init__(command, text=True, start_new_session=True, **how)

    def __exit__(self, kind: type[BaseException] | None, *more: Any) -> None:
        if kind is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        super().__exit__(kind, *more)


def start(
    command: Sequence[str],
    project: Path,
    home: Path,
    cwd: Path | None = None,
    **streams: int,
) -> Started:
    """Start a command in a session of its own and go on; its streams are pipes."""
    return Started(
        command,
        env=environment(project, home),
        cwd=cwd or home,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams,
    )


def read_until(stream: IO[str], words: str) -> str:
    """Return what comes from a process up to the line with these words."""
    said = ""
    while words not in said:
        line = stream.readline()
        assert line, said
        said += line
    return said
