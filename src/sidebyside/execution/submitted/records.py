"""What is known of a submitted launch, ``runs/.submitted/<id>/``, for whoever asks from anywhere.

``launch.json`` is written when it is submitted, ``process.json`` when its driver has started,
``progress.json`` whenever a run ends, ``ended.json`` with its exit code.
"""

import os
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sidebyside import paths
from sidebyside.errors import UserError
from sidebyside.execution.running import launches
from sidebyside.execution.running.launches import Launch
from sidebyside.files import read_json, write_json
from sidebyside.redaction import without_passwords
from sidebyside.tracking.liveness import this_process

VARIABLE = "SIDEBYSIDE_SUBMITTED"  # the id, in the environment of a driver
_LAUNCH, _PROCESS, _PROGRESS, _ENDED = (
    f"{name}.json" for name in ("launch", "process", "progress", "ended")
)


@dataclass(frozen=True)
class Submitted:
    """A launch that was submitted.

    Attributes
    ----------
    id : str
    arguments : list of str
        Of the command line, passwords hidden.
    engine : str
        What runs its tasks.
    title : str
        What is launched, e.g. "study=factorial on dataset=mnist5k".
    runs : int
        How many were asked for; a study that adds seeds may have more.
    at : float
        When it was submitted, in seconds since 1970.
    job : str or None
        The id of its driver's job, where that is one of Slurm.
    """

    id: str
    arguments: list[str]
    engine: str
    title: str
    runs: int
    at: float
    job: str | None = None

    @property
    def log(self) -> Path:
        """What the driver prints."""
        return folder(self.id) / "log.txt"


def begin(arguments: Sequence[str], engine: str, title: str, runs: int) -> Submitted:
    """Return a new launch, which has a folder and nothing that drives it."""
    shown = [without_passwords(argument) for argument in arguments]
    new = Submitted(secrets.token_hex(4), shown, engine, title, runs, time.time())
    folder(new.id).mkdir(parents=True)
    return new


def write(submitted: Submitted) -> None:
    """Let others find a launch that something drives."""
    write_json(folder(submitted.id) / _LAUNCH, asdict(submitted))


def everything() -> list[Submitted]:
    """Return all launches, the newest last, but those whose record a power failure has spoilt."""
    known = []
    for path in folder().glob(f"*/{_LAUNCH}"):
        with suppress(OSError, ValueError, TypeError):
            known.append(Submitted(**read_json(path)))
    return sorted(known, key=lambda submitted: submitted.at)


def find(name: str) -> Submitted:
    """Return the launch with an id, of which the first digits are enough.

    Raises
    ------
    UserError
        If there is none or are several, or the id is of a launch that wasn't submitted.
    """
    known = everything()
    found = [submitted for submitted in known if name and submitted.id.startswith(name)]
    if len(found) == 1:
        return found[0]
    if not found and name and (others := launches.named(launches.running(), name)):
        raise UserError(_not_submitted(others[0]))
    among = ", ".join(submitted.id for submitted in (found or known)[-5:]) or "none yet"
    raise UserError(
        f"{'Several launches begin' if found else 'No launch begins'} with {name}: `sidebyside "
        f"status` lists all of this home, the newest are {among}."
    )


def _not_submitted(launch: Launch) -> str:
    process, host = launch.process["process.id"], launch.process["process.host"]
    return (
        f"Launch {launch.id} wasn't submitted, so it is neither waited for nor cancelled by its "
        f"id: Ctrl-C in its terminal stops it, or `kill {process}` on {host}."
    )


def driven_by(launch: Launch) -> Submitted | None:
    """Return the submitted launch that a launch which runs is, None where it wasn't submitted."""
    return next((own for own in everything() if process_of(own) == launch.process), None)


def folder(name: str = "") -> Path:
    """Return the folder of a launch, or that of all."""
    return paths.runs() / ".submitted" / name


def note_start(name: str) -> None:
    """Write down that this process drives a launch, maybe again."""
    (folder(name) / _ENDED).unlink(missing_ok=True)
    write_json(folder(name) / _PROCESS, this_process())


def note_progress(done: int, runs: int, text: str) -> None:
    """Write down how far this process's launch is, if it was submitted."""
    if name := os.environ.get(VARIABLE):
        write_json(folder(name) / _PROGRESS, {"done": done, "runs": runs, "text": text})


def note_end(name: str, code: int) -> None:
    """Write down with which exit code a launch ended."""
    write_json(folder(name) / _ENDED, {"code": code, "at": time.time()})


def process_of(submitted: Submitted) -> dict[str, str] | None:
    """Return by what to know a launch's driver, None before it has started."""
    return _read(submitted, _PROCESS)


def progress_of(submitted: Submitted) -> Mapping[str, Any]:
    """Return how far a launch is: its runs, those that are done, and a line about it."""
    nothing = {"done": 0, "runs": submitted.runs, "text": f"0/{submitted.runs} runs"}
    return _read(submitted, _PROGRESS) or nothing


def exit_code(submitted: Submitted) -> int | None:
    """Return with which exit code a launch ended, None where it didn't or nobody could say."""
    ended = _read(submitted, _ENDED)
    return None if ended is None else int(ended["code"])


def _read(submitted: Submitted, name: str) -> Any:
    with suppress(OSError, ValueError):
        return read_json(folder(submitted.id) / name)
    return None
