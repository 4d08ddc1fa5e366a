"""The run store: what has been trained, by run key.

``runs/<key>/`` appears by one rename when a run is finished and isn't changed after that, except
for ``evaluation/``, which appears in the same way. ``runs/.unfinished/<key>/`` is being trained.
"""

import errno
import os
import shutil
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock
from pydantic import ValidationError

from sidebyside import paths
from sidebyside.engine.recipe import Recipe, read_recipe
from sidebyside.errors import UserError
from sidebyside.files import file_digest, move_into_place, read_json, remove, write_json

if TYPE_CHECKING:
    from sidebyside.engine.training.fit import Fitted

CARD = "run.json"
TIMING = "timing.json"  # these differ when a run is trained or tested again
INFERENCE = "inference.json"
PROGRESS = "progress.json"
DIGESTS = "digests.json"
HISTORY = "history.json"
_BESIDE_WEIGHTS = 2**18  # bytes for the other files of a run
CHECKPOINTS = "checkpoints"
_WHOLE = "whole"  # the files of a run that is trained, until it gets its place


class DamagedError(Exception):
    """A stored run isn't what was stored; the message says which file."""


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes
    ----------
    key : str
        The run key.
    folder : pathlib.Path
        Where its files are: in the run store or among a study's results.
    identity : dict
        Everything that decided its result, see `sidebyside.storage.keys.identity`.
    parameters : int
        Number of weights.
    weights_digest : str
        See `sidebyside.engine.training.fit.weights_digest`.
    history : dict of list of float
        Figures after each epoch: loss, accuracy, val_loss, val_accuracy.
    """

    key: str
    folder: Path
    identity: dict[str, Any]
    parameters: int
    weights_digest: str
    history: dict[str, list[float]]

    @property
    def recipe(self) -> Recipe:
        """The config that decided the result.

        Raises
        ------
        UserError
            If a version trained it that knew what this one doesn't.
        """
        try:
            return read_recipe(self.identity["recipe"])
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise UserError(
                f"Run {self.key[:12]} was trained by another version, and this one can't read its "
                f"recipe: {'.'.join(map(str, first['loc']))} is {first['input']}. Train it again."
            ) from None

    def seconds(self) -> float | None:
        """Return how long the training took, None where that isn't known (results from DVC)."""
        path = self.folder / TIMING
        return read_json(path)["seconds"] if path.is_file() else None


def load(folder: Path, read: Collection[str] | None = None) -> Run:
    """Return the run in ``folder``.

    Parameters
    ----------
    folder : pathlib.Path
    read : collection of str, optional
        Which files' content to verify, "history.json" among them in any case; None is all. Whoever
        wants what the network said needn't have its weights read.

    Raises
    ------
    DamagedError
        If a file is missing or its content isn't what was stored.
    """
    try:
        card = read_json(folder / CARD)
        for name in (card["key"], *card["files"]):
            if not paths.is_name(name):
                raise DamagedError(f"{folder / CARD} names {name}, which is in another folder")
        for name, digest in card["files"].items():
            if read is not None and name not in read and name != HISTORY:
                continue
            if file_digest(folder / name) != digest:
                raise DamagedError(f"{folder / name} is missing or its content has changed")
        history = read_json(folder / HISTORY)
        fields = ("key", "identity", "parameters", "weights_digest")
        return Run(folder=folder, history=history, **{name: card[name] for name in fields})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedError(f"{folder / CARD} can't be read ({type(error).__name__})") from None


def holds(key: str) -> bool:
    """Whether there is a finished run with this key, be it damaged."""
    return paths.run(key).exists()


def find(key: str) -> Run | None:
    """Return the finished run with this key, None where there is none.

    A damaged one is named on stderr and moved aside, so that it is trained again.
    """
    folder = paths.run(key)
    if not holds(key):
        return None
    try:
        return load(folder)
    except DamagedError as reason:
        aside = paths.runs() / ".damaged" / f"{key}-{time.time_ns()}"
        aside.parent.mkdir(exist_ok=True)
        try:
            folder.rename(aside)
        except FileNotFoundError:  # another process has met it too
            return None
        print(
            f"warning: run {key[:12]} is damaged and will be trained again: {reason}. "
            f"Its files are kept in {aside}.",
            file=sys.stderr,
        )
        return None


@contextmanager
def locked(key: str, timeout: float = -1) -> Iterator[None]:
    """Hold the run with this key: whoever else wants to train or publish it waits.

    After ``timeout`` seconds of waiting filelock.Timeout is raised, below 0 never.
    """
    folder = paths.runs() / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"{key}.lock", timeout):
        yield


def check_writable() -> None:
    """Raise a UserError if the run store can't be written."""
    folder = paths.runs()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{time.time_ns()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserError(
            f"Can't write to the run store {folder}: {error.strerror}. Change the permissions "
            "there, or set SIDEBYSIDE_HOME to a folder of yours."
        ) from None


def begin(key: str, anew: bool = False) -> Path:
    """Return the folder of a run that is about to be trained, with its checkpoints if any.

    With ``anew`` it has none.
    """
    folder = paths.unfinished_run(key)
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if anew or path.is_symlink() or path.name != CHECKPOINTS:
            remove(path)
    return folder


def report_progress(key: str, epochs_done: int) -> None:
    """Let others see how far an unfinished run is."""
    write_json(paths.unfinished_run(key) / PROGRESS, {"epochs_done": epochs_done})


def epochs_done(key: str) -> int | None:
    """Return how far an unfinished run is, None where it is finished or hasn't begun."""
    try:
        done: int = read_json(paths.unfinished_run(key) / PROGRESS)["epochs_done"]
        return done
    except (OSError, ValueError):
        return None


def announce(launch: str, key: str) -> None:
    """Let a launch know that it has got one of its runs."""
    folder = _launch_folder(launch)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / key).touch()


def is_announced(launch: str, key: str) -> bool:
    """Whether a launch has got one of its runs, as far as this home knows."""
    return (_launch_folder(launch) / key).exists()


def announced(launch: str) -> set[str]:
    """Return the keys of the runs that a launch has got so far."""
    folder = _launch_folder(launch)
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def forget_launch(launch: str) -> None:
    """Remove what `announce` left."""
    shutil.rmtree(_launch_folder(launch), ignore_errors=True)


def _launch_folder(launch: str) -> Path:
    return paths.runs() / ".launches" / launch


def save(key: str, identity: dict[str, Any], fitted: "Fitted", seconds: float) -> Run:
    """Write a trained network to its folder and make the run a finished one.

    Its checkpoints stay until it has its place: a training that is ended before goes on from them.
    If the run is there already, because it was trained anew to prove a point, that one stays.

    Raises
    ------
    UserError
        If the run was trained anew and its weights aren't the stored ones.
    OSError
        If there is no room.
    """
    from sidebyside.engine.scoring.saved_model import write_network
    from sidebyside.engine.training.fit import weights_digest

    unfinished = paths.unfinished_run(key)
    folder = unfinished / _WHOLE
    _check_room(unfinished, fitted.network)
    folder.mkdir()
    write_network(fitted.network, fitted.made_from, folder)
    write_json(folder / HISTORY, fitted.history)
    write_json(folder / DIGESTS, fitted.digests)
    timing = {"seconds": round(seconds, 3), "step_seconds": round(fitted.step_seconds, 3)}
    write_json(folder / TIMING, timing)
    names = (path.name for path in folder.iterdir() if path.name != TIMING)
    files = sorted(filter(paths.is_name, names))  # and nothing that a file system hides there
    card = {
        "key": key,
        "parameters": fitted.network.count_params(),
        "weights_digest": weights_digest(fitted.network),
        "files": {name: file_digest(folder / name) for name in files},
        "identity": identity,
    }
    write_json(folder / CARD, card)
    if (stored := find(key)) is None:
        move_into_place(folder, paths.run(key))
        shutil.rmtree(unfinished, ignore_errors=True)
        return load(paths.run(key))
    shutil.rmtree(unfinished, ignore_errors=True)
    if stored.weights_digest != card["weights_digest"]:
        raise UserError(
            f"Run {key[:12]} was trained anew and has other weights: stored "
            f"{stored.weights_digest[:12]}, now {card['weights_digest'][:12]}. Something that "
            f"decides results isn't in the run key; the stored run in {stored.folder} stays."
        )
    return stored


def note_inference(key: str, milliseconds: dict[str, float]) -> None:
    """Note how long batches took a run's network, by their number of images."""
    if paths.run(key).is_dir():
        write_json(paths.run(key) / INFERENCE, milliseconds)


def _check_room(folder: Path, network: Any) -> None:
    """Raise an OSError where a network has no room: HDF5 that finds out itself may crash."""
    size = sum(weights.nbytes for weights in network.get_weights()) + _BESIDE_WEIGHTS
    if shutil.disk_usage(folder).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def adopt(run: Run) -> Run:
    """Return the run as the store has it, copying it there first if it came with DVC alone."""
    with locked(run.key):
        if (stored := find(run.key)) is not None:
            return stored
        folder = begin(run.key, anew=True)
        folder.rmdir()
        copy(run, folder)
        move_into_place(folder, paths.run(run.key))
        return load(paths.run(run.key))


def copy(run: Run, destination: Path) -> None:
    """Copy a run's results, without its timing, to ``destination``.

    By copy and not by link: with a hard link, one write in place would damage both.
    """
    destination.mkdir(parents=True)
    for name in [*read_json(run.folder / CARD)["files"], CARD]:
        shutil.copy2(run.folder / name, destination / name)  # with its time: see `results`
