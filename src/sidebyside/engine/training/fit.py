"""The training of one network: same recipe, data and environment, same bits."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from sidebyside.config.protocols import TEST_AS_VALIDATION
from sidebyside.config.schema import Config
from sidebyside.data.arrays import ProcessedArrays
from sidebyside.engine.training import determinism
from sidebyside.engine.training.batches import Batches
from sidebyside.engine.training.networks import build, build_optimizer
from sidebyside.files import DECIMALS


@dataclass(frozen=True)
class State:
    """A training after a complete epoch: all that is needed to go on to the same bits.

    Attributes
    ----------
    history : dict of list of float
        Figures after each epoch: loss, accuracy, val_loss, val_accuracy.
    digests : list of str
        `weights_digest` after each epoch.
    variables : list of ndarray
        Those of the network, dropout's random state among them, then those of the optimizer.
    """

    history: dict[str, list[float]]
    digests: list[str]
    variables: list[NDArray[Any]]

    @property
    def epochs_done(self) -> int:
        """The number of complete epochs."""
        return len(self.digests)

    def figures(self) -> dict[str, float]:
        """Return the figures of the last epoch."""
        return {name: values[-1] for name, values in self.history.items()}


OnEpoch = Callable[[State], None]


@dataclass(frozen=True)
class Fitted:
    """A trained network, and figures and weights digest after each epoch; see `State`."""

    network: keras.Sequential
    history: dict[str, list[float]]
    digests: list[str]


def fit(
    config: Config, arrays: ProcessedArrays, on_epoch: OnEpoch, start: State | None = None
) -> Fitted:
    """Train the network of ``config``.

    Parameters
    ----------
    config : Config
    arrays : ProcessedArrays
        In the config's data format; the test images are read only by a protocol that
        validates on them.
    on_epoch : callable
        Called with the state after each epoch.
    start : State, optional
        Of a training of the same run, to go on from.
    """
    determinism.fix(config.training.threads)
    keras.utils.set_random_seed(config.seed)
    network = compiled(config)
    images, labels = arrays.read("train_images"), arrays.read("train_labels")
    training = arrays.read(f"{config.protocol}_training")
    network.optimizer.build(network.trainable_variables)
    recorder = _Recorder(on_epoch, start)
    network.fit(
        Batches(
            images,
            labels,
            training,
            config.training.batch_size,
            config.seed,
            epoch=recorder.state.epochs_done,
        ),
        validation_data=_validation(config, arrays),
        initial_epoch=recorder.state.epochs_done,
        epochs=config.training.epochs,
        shuffle=False,
        verbose=0,
        callbacks=[recorder],
    )
    return Fitted(network, recorder.state.history, recorder.state.digests)


class _Recorder(keras.callbacks.Callback):
    """Keeps the state of a training up to date, having put it there at the start."""

    def __init__(self, on_epoch: OnEpoch, start: State | None) -> None:
        super().__init__()
        self.state = start or State({}, [], [])
        self._on_epoch = on_epoch

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Give all variables the values of the state to go on from."""
        if self.state.epochs_done:
            for variable, value in zip(self._variables(), self.state.variables, strict=True):
                variable.assign(value)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Take the state after an epoch."""
        history = {
            name: [*self.state.history.get(name, []), _rounded(value)]
            for name, value in (logs or {}).items()
        }
        digests = [*self.state.digests, weights_digest(self.model)]
        variables = [np.asarray(variable.numpy()) for variable in self._variables()]
        self.state = State(history, digests, variables)
        self._on_epoch(self.state)

    def _variables(self) -> list[keras.Variable]:
        return [*self.model.variables, *self.model.optimizer.variables]


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


def _rounded(value: Any) -> float:
    """Return a figure as all records of it have it."""
    return round(float(value), DECIMALS)
