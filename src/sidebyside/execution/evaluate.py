"""Evaluate: the test set, opened once training is over."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sidebyside import paths
from sidebyside.data.arrays import ProcessedArrays, file_digest, open_arrays
from sidebyside.errors import UserError
from sidebyside.files import emptied, move_into_place, read_json, write_json
from sidebyside.sources import source_digests
from sidebyside.storage import journal, store
from sidebyside.storage.store import Run

CARD = "evaluation.json"
ARRAYS = ("probabilities", "predicted")
_FIELDS = ("key", "test_error", "test_loss", "error_per_class", "confusion", "basis", "layout")

_DECIDING = ("engine/training", "engine/scoring")


@dataclass(frozen=True)
class Evaluation:
    """What one run's network does on the test images.

    Attributes
    ----------
    key : str
        The run key.
    folder : pathlib.Path
        Holds ``evaluation.json``, ``predicted.npy`` (uint8, shape (N,)) and
        ``probabilities.npy`` (float32, shape (N, classes)).
    test_error : float
        Percent.
    test_loss : float
        Mean categorical cross-entropy, in nats.
    error_per_class : list of float
        Percent of each class' images.
    confusion : list of list of int
        Images by target (row) and predicted class (column).
    basis : str
        Digest of what decided the scores: weights, data and code.
    layout : dict or None
        The network against itself in the other data format, see
        `sidebyside.engine.scoring.layout_check.LayoutCheck`; None where this machine couldn't.
    """

    key: str
    folder: Path
    test_error: float
    test_loss: float
    error_per_class: list[float]
    confusion: list[list[int]]
    basis: str
    layout: dict[str, Any] | None

    def read(self, name: str) -> np.ndarray:
        """Return the array "predicted" or "probabilities"."""
        array: np.ndarray = np.load(self.folder / f"{name}.npy", allow_pickle=False)
        return array


def evaluate(run: Run, again: bool = False) -> Evaluation:
    """Return the scores of a run's saved network on the test images.

    The network is loaded from disk after its files were verified (`sidebyside.storage.store.load`).
    An evaluation that the run store has, by the same code of the same weights, is reused unless
    asked to do it ``again``.

    Raises
    ------
    UserError
        If the processed data aren't those the run was trained on.
    """
    arrays = _arrays_of(run)
    stored = None if again else _find(run, arrays)
    return stored or _test(run, arrays)


def stored_evaluation(key: str) -> Evaluation:
    """Return what the run store has of a run that was evaluated, see `load_evaluation`."""
    return load_evaluation(_folder(key))


def is_evaluated(key: str) -> bool:
    """Whether the run store has an evaluation of a run, be it damaged."""
    return _folder(key).is_dir()


def load_evaluation(folder: Path) -> Evaluation:
    """Return the evaluation in ``folder``.

    Raises
    ------
    sidebyside.storage.store.DamagedError
        If a file is missing or its content isn't what was stored.
    """
    if (found := _read(folder)) is None:
        raise store.DamagedError(f"the evaluation in {folder} is missing or damaged")
    return found


def _arrays_of(run: Run) -> ProcessedArrays:
    folder = paths.processed(run.recipe["dataset"], run.recipe["data_format"])
    arrays = open_arrays(folder)
    if arrays is None or arrays.digest != run.identity["arrays"]:
        raise UserError(
            f"{folder} doesn't hold the data that run {run.key[:12]} was trained on: run the "
            "preprocess stage again, then train."
        )
    return arrays


def _find(run: Run, arrays: ProcessedArrays) -> Evaluation | None:
    found = _read(_folder(run.key))
    return found if found and found.basis == _basis(run, arrays) else None


def _folder(key: str) -> Path:
    return paths.run(key) / "evaluation"


def _basis(run: Run, arrays: ProcessedArrays) -> str:
    """Return a digest of what decides the scores."""
    parts = [run.weights_digest, arrays.digest, *map(source_digests, _DECIDING)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _read(folder: Path) -> Evaluation | None:
    try:
        card = read_json(folder / CARD)
        if any(file_digest(folder / name) != digest for name, digest in card["files"].items()):
            return None
        return Evaluation(folder=folder, **{name: card[name] for name in _FIELDS})
    except (OSError, ValueError, KeyError):
        return None


def _test(run: Run, arrays: ProcessedArrays) -> Evaluation:
    from sidebyside.engine.scoring.score import score

    with journal.looking("evaluate", [run.key]):
        scores = score(run.folder, arrays, run.recipe)
    unfinished = emptied(paths.unfinished_run(f"{run.key}-evaluation"))
    for name in ARRAYS:
        np.save(unfinished / f"{name}.npy", getattr(scores, name), allow_pickle=False)
    card: dict[str, Any] = {"key": run.key, "basis": _basis(run, arrays)} | scores.figures()
    card["files"] = {f"{name}.npy": file_digest(unfinished / f"{name}.npy") for name in ARRAYS}
    write_json(unfinished / CARD, card)
    folder = _folder(run.key)
    move_into_place(unfinished, folder)
    return load_evaluation(folder)
