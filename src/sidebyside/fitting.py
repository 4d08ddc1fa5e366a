"""The training of one network: same recipe, data and environment, same bits."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from sidebyside import numeric
from sidebyside.arrays import ProcessedArrays
from sidebyside.batches import Batches
from sidebyside.files import DECIMALS
from sidebyside.networks import build, build_optimizer
from sidebyside.protocols import TEST_AS_VALIDATION
from sidebyside.schema import Config

OnEpoch = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class Fitted:
    """A trained network and its figures after each epoch: loss, accuracy, val_loss, ..."""

    network: keras.Sequential
    history: dict[str, list[float]]


def fit(config: Config, arrays: ProcessedArrays, on_epoch: OnEpoch) -> Fitted:
    """Train the network of ``config``.

    Parameters
    ----------
    config : Config
    arrays : ProcessedArrays
        In the config's data format; the test images are read only by a protocol that
        validates on them.
    on_epoch : callable
        Called after each epoch with its number, from 0, and its figures.
    """
    numeric.fix(config.training.threads)
    keras.utils.set_random_seed(config.seed)
    network = compiled(config)
    images, labels = arrays.read("train_images"), arrays.read("train_labels")
    training = arrays.read(f"{config.protocol}_training")
    batch_size = config.training.batch_size
    history = network.fit(
        Batches(images, labels, training, batch_size, config.seed),
        validation_data=_validation(config, arrays),
        epochs=config.training.epochs,
        shuffle=False,
        verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=_figures(on_epoch))],
    )
    figures = {
        name: [_rounded(value) for value in values] for name, values in history.history.items()
    }
    return Fitted(network, figures)


def _validation(config: Config, arrays: ProcessedArrays) -> Batches | None:
    """Return what the protocol validates on after each epoch, if anything."""
    batch_size = config.training.batch_size
    if config.protocol in TEST_AS_VALIDATION:
        images, labels = arrays.read("test_images"), arrays.read("test_labels")
        return Batches(images, labels, np.arange(len(images)), batch_size)
    if not arrays.holds(f"{config.protocol}_validation"):
        return None
    held_out = arrays.read(f"{config.protocol}_validation")
    images, labels = arrays.read("train_images"), arrays.read("train_labels")
    return Batches(images, labels, held_out, batch_size)


def compiled(config: Config) -> keras.Sequential:
    """Return the network of ``config``, untrained and compiled."""
    height, width = config.dataset.image_shape
    network = build(config.model, (height, width), config.dataset.classes, config.data_format)
    network.compile(
        optimizer=build_optimizer(dict(config.optimizer)),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,  # six times slower on a CPU for networks like these
    )
    return network


def weights_digest(network: keras.Model) -> str:
    """Return the SHA-256 over each variable's dtype, shape and C-order bytes, in order."""
    digest = hashlib.sha256()
    for variable in network.variables:
        value: NDArray[Any] = np.ascontiguousarray(variable.numpy())
        digest.update(f"{value.dtype.str}{value.shape}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()


def _figures(on_epoch: OnEpoch) -> Callable[[int, dict[str, Any]], None]:
    return lambda epoch, logs: on_epoch(epoch, {name: _rounded(x) for name, x in logs.items()})


def _rounded(value: Any) -> float:
    """Return a figure as all records of it have it."""
    return round(float(value), DECIMALS)
