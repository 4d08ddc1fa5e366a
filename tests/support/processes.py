"""Commands as processes of their own: run to the end, or started and watched."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from support.projects import environment


def run(
    command: Sequence[str], project: Path, home: Path, cwd: Path | None = None, **more: str
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end, at ``home`` if nowhere else."""
    return subprocess.run(
        command,
        env=environment(project, home, **more),
        cwd=cwd or home,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def start(
    command: Sequence[str],
    project: Path,
    home: Path,
    cwd: Path | None = None,
    **streams: int,
) -> "subprocess.Popen[str]":
    """Start a command in a session of its own and go on; its streams are pipes."""
    return subprocess.Popen(
        command,
        env=environment(project, home),
        cwd=cwd or home,
        text=True,
        start_new_session=True,
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
