"""Trained networks, opened for prediction."""

from pathlib import Path
from typing import Any

from sidebyside.engine.training import determinism
from sidebyside.engine.training.numerics import resolve
from sidebyside.errors import UserError
from sidebyside.stderr import greetings_hidden
from sidebyside.storage.keys import device, numeric_class
from sidebyside.storage.own_sources import check_unchanged
from sidebyside.storage.store import Run

MODEL_FILES = (".keras", ".h5")  # their endings


def load_network(run: Run) -> Any:
    """Return the Keras network of a verified run.

    Raises
    ------
    UserError
        If it is a model of one's own that isn't what it was.
    """
    with greetings_hidden():
        from sidebyside.engine.scoring.saved_model import read_network
    check_unchanged(run.recipe.model, run.identity["sources"], run.key)
    determinism.fix(run.recipe.threads, numeric_class(run.identity), device(run.identity))
    return read_network(run.folder)


def load_trusted(path: Path) -> Any:
    """Return the Keras network in a file that nothing here vouches for, in Keras' safe mode.

    Raises
    ------
    UserError
        If Keras can't or won't load it.
    """
    if path.suffix not in MODEL_FILES or not path.is_file():
        raise UserError(f"{path} is no model file: give a .keras or .h5 file.")
    with greetings_hidden():
        import keras
    determinism.fix(1, resolve("auto"))
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # whatever a file of unknown origin makes Keras raise
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path} can't be loaded as a Keras model: {reason[:200]}") from None
