"""``sidebyside submit`` and the commands that find a launch again."""

import json
import sys
from pathlib import Path

from support.processes import run
from support.projects import TINY


def sidebyside(project: Path, home: Path, *arguments: str, **more: str):
    """Run the command line to its end."""
    return run([sys.executable, "-m", "sidebyside.cli.main", *arguments], project, home, **more)


def submit(project: Path, home: Path, *arguments: str, **more: str) -> str:
    """Submit a sweep of tiny networks and return its id."""
    done = sidebyside(project, home, "submit", *TINY, *arguments, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[1].rstrip(":")


def status(project: Path, home: Path, launch: str) -> dict:
    """Return what ``sidebyside status --json`` says of a launch."""
    done = sidebyside(project, home, "status", launch, "--json")
    assert done.returncode == 0, done.stderr
    (one,) = json.loads(done.stdout)
    return one
