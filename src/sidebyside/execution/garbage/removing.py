"""Find what nothing refers to in ``runs/``, and remove it beside launches that go on."""

import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import Timeout

from sidebyside import paths
from sidebyside.execution.garbage.references import Studies, launched, written
from sidebyside.execution.running import launches
from sidebyside.files import read_json
from sidebyside.storage import store

Kind = Literal["run", "unfinished run", "damaged run", "left by a kill"]
_LEFT: Kind = "left by a kill"
_REMOVED = ".removed"  # in runs/: renamed to, then deleted; a kill leaves some, the next one ends
_DAY = 86_400.0  # seconds, after which what no launch is known to own belongs to none


@dataclass(frozen=True)
class Garbage:
    """Something in ``runs/`` that nothing refers to.

    Attributes
    ----------
    path : pathlib.Path
    kind : str
    about : str
        What it is, e.g. "conv_pair on mnist5k, 3 epochs".
    size : int
        In bytes.
    key : str or None
        The run key, for what whoever trains that run holds.
    """

    path: Path
    kind: Kind
    about: str
    size: int
    key: str | None = None


def find() -> list[Garbage]:
    """Return what no study, report, result, output of DVC's or launch refers to."""
    live = launches.running()
    needed = written() | launched(live)
    found = [*_leftovers({launch.id for launch in live})]
    stored = {folder: _identity(folder) for folder in sorted(paths.runs().glob("[!.]*/"))}
    studies = Studies({own["recipe"]["dataset"] for own in stored.values() if own})
    for folder, identity in stored.items():
        if folder.name not in needed and identity and not studies.ask_for(identity):
            found.append(Garbage(folder, "run", _about(identity), _size(folder), folder.name))
    for folder in sorted((paths.runs() / ".unfinished").glob("*/")):
        # One that was left today is one that the same command would go on with.
        unknown = folder.name not in needed | studies.keys and _is_old(folder)
        finished = store.holds(folder.name)
        if (finished or unknown) and not _is_held(folder.name):
            about = f"{store.epochs_done(folder.name) or 0} epochs done"
            kind: Kind = _LEFT if finished else "unfinished run"
            found.append(Garbage(folder, kind, about, _size(folder), folder.name))
    return found


def remove(found: Sequence[Garbage]) -> list[Garbage]:
    """Remove what was found, but what a launch has begun to count on; return what is gone.

    A run goes by one rename, so that it is there whole or not at all whenever this is killed.
    """
    aside = paths.runs() / _REMOVED
    aside.mkdir(exist_ok=True)
    gone = []
    with launches.none_begins() as live:
        needed = written() | launched(live)
        for own in found:
            if (own.kind == _LEFT or own.key not in needed) and _moved(own, aside):
                gone.append(own)
    shutil.rmtree(aside, ignore_errors=True)
    return gone


def _moved(own: Garbage, aside: Path) -> bool:
    """Move something out of the way, unless somebody holds it."""
    with suppress(OSError, Timeout):
        if own.key is None:
            own.path.rename(aside / f"{own.path.name}-{time.time_ns()}")
            return True
        with store.locked(own.key, timeout=0):
            own.path.rename(aside / f"{own.path.name}-{time.time_ns()}")
            return True
    return False


def _leftovers(live: set[str]) -> list[Garbage]:
    """Return what kills left, and what was damaged."""
    runs, found = paths.runs(), []
    for folder in (runs / ".damaged").glob("*"):
        found.append(Garbage(folder, "damaged run", folder.name[:12], _size(folder)))
    left = [path for path in (runs / ".launches").glob("*") if path.name not in live]
    old = [path for path in left if _is_old(path)]
    for path in [*old, *launches.dead(), *(runs / _REMOVED).glob("*")]:
        found.append(Garbage(path, _LEFT, path.parent.name, _size(path)))
    return found


def _is_old(path: Path) -> bool:
    with suppress(OSError):
        return time.time() - path.stat().st_mtime > _DAY
    return False


def _is_held(key: str) -> bool:
    """Whether a process trains or publishes a run."""
    try:
        with store.locked(key, timeout=0):
            return False
    except (Timeout, OSError):
        return True


def _identity(folder: Path) -> dict[str, Any] | None:
    """Return the identity of a finished run, None for what isn't one."""
    try:
        identity: dict[str, Any] = read_json(folder / store.CARD)["identity"]
        return identity if paths.is_name(identity["recipe"]["dataset"]) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _about(identity: dict[str, Any]) -> str:
    recipe = identity["recipe"]
    model = recipe.get("model", {}).get("name", "a model")
    return f"{model} on {recipe.get('dataset')}, {recipe.get('epochs')} epochs"


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    total = 0
    for own in path.rglob("*"):
        with suppress(OSError):  # another process removes it
            total += own.lstat().st_size
    return total
