"""A run's network in other file formats, each loaded again and tried."""

import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from sidebyside.errors import UserError
from sidebyside.stderr import greetings_hidden

Predict = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True)
class Format:
    """A file format: the end of its name, how to write it and how to open it for prediction."""

    suffix: str
    write: Callable[[Any, Path], None]
    open: Callable[[Path], Predict]


def export(
    network: Any, images: NDArray[np.float32], name: str, wanted: Sequence[str], folder: Path
) -> list[Path]:
    """Write a network in each of the ``wanted`` formats and return the paths.

    Each is loaded from disk again and has to predict the same label for each of ``images`` as the
    network itself; one that doesn't is removed.

    Parameters
    ----------
    network : keras.Model
    images : ndarray of float32, shape (N, height, width, 1) or (N, 1, height, width)
    name : str
        Of the files, without the end.
    wanted : sequence of str
        Keys of `FORMATS`.
    folder : pathlib.Path
        Made if it isn't there.

    Raises
    ------
    UserError
        If a format can't hold this network, or predicts other labels.
    """
    with greetings_hidden():
        labels = network.predict(images, verbose=0).argmax(axis=1)
    folder.mkdir(parents=True, exist_ok=True)
    return [_export_as(form, network, images, labels, folder / name) for form in wanted]


def _export_as(
    wanted: str, network: Any, images: NDArray[np.float32], labels: NDArray[Any], stem: Path
) -> Path:
    form = FORMATS[wanted]
    path = stem.with_name(f"{stem.name}{form.suffix}")
    _remove(path)
    try:
        with greetings_hidden():
            form.write(network, path)
            again = form.open(path)(images).argmax(axis=1)
    except Exception as error:  # converters raise what they like
        _remove(path)
        reason = (str(error).strip().splitlines() or [""])[0][:200]
        raise UserError(
            f"This network can't be exported as {wanted}: {type(error).__name__}: {reason}. "
            "The formats before it in the list are written."
        ) from None
    if different := int((again != labels).sum()):
        _remove(path)
        raise UserError(
            f"The export as {wanted} predicts another label for {different} of {len(labels)} "
            "images, so it isn't kept."
        )
    return path


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


def _save(network: Any, path: Path) -> None:
    logging.getLogger("absl").setLevel(logging.ERROR)  # it calls HDF5 legacy each time
    network.save(path)


def _load(path: Path) -> Predict:
    network = keras.models.load_model(path, compile=False, safe_mode=True)
    return lambda images: np.asarray(network.predict(images, verbose=0))


def _write_saved_model(network: Any, path: Path) -> None:
    network.export(path, format="tf_saved_model", verbose=False)


def _open_saved_model(path: Path) -> Predict:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    return lambda images: np.asarray(loaded.serve(images))


def _write_tflite(network: Any, path: Path) -> None:
    network.export(path, format="litert", verbose=False)


def _open_tflite(path: Path) -> Predict:
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(str(path))

    def predict(images: NDArray[np.float32]) -> NDArray[np.float32]:
        (given,), (returned,) = interpreter.get_input_details(), interpreter.get_output_details()
        interpreter.resize_tensor_input(given["index"], images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(given["index"], images)
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(returned["index"]))

    return predict


FORMATS = {
    "keras": Format(".keras", _save, _load),
    "h5": Format(".h5", _save, _load),
    "savedmodel": Format("_savedmodel", _write_saved_model, _open_saved_model),
    "tflite": Format(".tflite", _write_tflite, _open_tflite),
}
