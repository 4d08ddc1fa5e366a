"""What runs did on the test set, beside them in the run store."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sidebyside import paths
from sidebyside.files import file_digest, read_json, replaced, write_json
from sidebyside.storage.store import DamagedError

CARD = "evaluation.json"
FOLDER = "evaluation"  # in that of the run
ARRAYS = ("probabilities", "predicted")
_FIELDS = ("key", "test_error", "test_loss", "error_per_class", "confusion", "basis", "layout")


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


def stored_evaluation(key: str) -> Evaluation:
    """Return what the run store has of a run that was evaluated, see `load_evaluation`."""
    return load_evaluation(evaluation_folder(key))


def find_evaluation(key: str) -> Evaluation | None:
    """Return what the run store has of a run, None where it has nothing, or that is damaged."""
    try:
        return stored_evaluation(key)
    except DamagedError:
        return None


def is_evaluated(key: str) -> bool:
    """Whether the run store has an evaluation of a run, be it damaged."""
    return evaluation_folder(key).is_dir()


def load_evaluation(folder: Path) -> Evaluation:
    """Return the evaluation in ``folder``.

    Raises
    ------
    sidebyside.storage.store.DamagedError
        If a file is missing or its content isn't what was stored.
    """
    try:
        card = read_json(folder / CARD)
        if all(file_digest(folder / name) == digest for name, digest in card["files"].items()):
            return Evaluation(folder=folder, **{name: card[name] for name in _FIELDS})
    except (OSError, ValueError, KeyError):
        pass
    raise DamagedError(f"the evaluation in {folder} is missing or damaged")


def save_evaluation(
    key: str, basis: str, figures: dict[str, Any], arrays: dict[str, np.ndarray]
) -> Evaluation:
    """Store scores, see `Evaluation` for what they are; those of before are replaced."""
    folder = evaluation_folder(key)
    with replaced(folder) as unfinished:
        for name in ARRAYS:
            np.save(unfinished / f"{name}.npy", arrays[name], allow_pickle=False)
        files = {f"{name}.npy": file_digest(unfinished / f"{name}.npy") for name in ARRAYS}
        write_json(unfinished / CARD, {"key": key, "basis": basis} | figures | {"files": files})
    return load_evaluation(folder)


def evaluation_folder(key: str) -> Path:
    """Return where the run store has a run's evaluation."""
    return paths.run(key) / FOLDER
