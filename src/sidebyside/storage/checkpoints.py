"""The state of an unfinished training on disk, of which a kill at any moment leaves a good one.

``epoch-<n>.npz`` holds the variables, ``epoch-<n>.json`` the rest and the digest of the former. The
JSON file is written last, so a state without it, or with another digest, is one cut short.

NumPy's files don't know the data types that it has from ml_dtypes, bfloat16 for instance, so the
JSON file names them.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidebyside.engine.training.fit import State
from sidebyside.files import file_digest, read_json, write_json

_KEPT = 2  # the newest, and the one before should the newest be damaged
_BEFORE = {"void16": "bfloat16"}  # what a file of before there were names has of which data type


def save_checkpoint(folder: Path, state: State, seconds: float) -> None:
    """Write a state and the seconds it took to get there; remove all but the last two."""
    folder.mkdir(exist_ok=True)
    path = folder / f"epoch-{state.epochs_done:06d}.npz"
    unfinished = path.with_suffix(".unfinished")
    variables = [*state.variables, *state.best]
    try:
        with unfinished.open("wb") as stream:
            # Not compressed: that takes longer than it saves.
            np.savez(stream, *map(_known_to_numpy, variables))
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(unfinished, path)
    except OSError:
        unfinished.unlink(missing_ok=True)  # on a full disk others need the room
        raise
    card = {
        "sha256": file_digest(path),
        "history": state.history,
        "digests": state.digests,
        "variables": len(state.variables),
        "dtypes": [own.dtype.name for own in variables],
        "seconds": seconds,
    }
    write_json(path.with_suffix(".json"), card)
    for old in sorted(folder.glob("epoch-*.npz"))[:-_KEPT]:
        old.with_suffix(".json").unlink(missing_ok=True)
        old.unlink()


def load_checkpoint(folder: Path) -> tuple[State, float] | None:
    """Return the newest undamaged state and the seconds it took, None where there is none."""
    for path in sorted(folder.glob("epoch-*.npz"), reverse=True):
        try:
            card = read_json(path.with_suffix(".json"))
            if file_digest(path) != card["sha256"]:
                continue
            with np.load(path, allow_pickle=False) as stored:
                variables = [stored[name] for name in stored.files]
            names = card.get("dtypes") or [_BEFORE.get(own.dtype.name) for own in variables]
            variables = [_named(*own) for own in zip(variables, names, strict=True)]
            to_go_on, best = variables[: card["variables"]], variables[card["variables"] :]
            return State(card["history"], card["digests"], to_go_on, best), card["seconds"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def _known_to_numpy(array: NDArray[Any]) -> NDArray[Any]:
    return array if array.dtype.isbuiltin == 1 else array.view(f"V{array.itemsize}")


def _named(array: NDArray[Any], name: str | None) -> NDArray[Any]:
    """Return an array with the data type of this name, its own if it is None."""
    return array if name in (None, array.dtype.name) else array.view(name)
