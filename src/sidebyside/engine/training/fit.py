"""The training of one network: same recipe, data and environment, same bits."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from sidebyside.engine.recipe import Recipe
from sidebyside.engine.training import determinism
from sidebyside.engine.training.arrays import TrainingArrays
from sidebyside.engine.training.batches import Batches
from sidebyside.engine.training.networks import build, build_optimizer

_DECIMALS = 6  # of a figure; the last bits of a sum may differ between machines


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
    recipe: Recipe, arrays: TrainingArrays, on_epoch: OnEpoch, start: State | None = None
) -> Fitted:
    """Train the network of a recipe.

    Parameters
    ----------
    recipe : Recipe
    arrays : TrainingArrays
        In the recipe's data format.
    on_epoch : callable
        Called with the state after each epoch.
    start : State, optional
        Of a training of the same run, to go on from.
    """
    determinism.fix(recipe.threads)
    keras.utils.set_random_seed(recipe.seed)
    network = compiled(recipe, image_shape(recipe, arrays.images), arrays.labels.shape[1])
    network.optimizer.build(network.trainable_variables)
    recorder = _Recorder(on_epoch, start)
    done = recorder.state.epochs_done
    held_out, size = arrays.validation, recipe.batch_size
    network.fit(
        Batches(arrays.images, arrays.labels, arrays.indices, size, recipe.seed, epoch=done),
        validation_data=held_out
        and Batches(held_out.images, held_out.labels, held_out.indices, size),
        initial_epoch=done,
        epochs=recipe.epochs,
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
            name: [*self.state.history.get(name, []), round(float(value), _DECIMALS)]
            for name, value in (logs or {}).items()
        }
        digests = [*self.state.digests, weights_digest(self.model)]
        variables = [np.asarray(variable.numpy()) for variable in self._variables()]
        self.state = State(history, digests, variables)
        self._on_epoch(self.state)

    def _variables(self) -> list[keras.Variable]:
        return [*self.model.variables, *self.model.optimizer.variables]


def image_shape(recipe: Recipe, images: NDArray[Any]) -> tuple[int, int]:
    """Return (height, width) of images in the recipe's data format."""
    first = recipe.data_format == "channels_first"
    height, width = images.shape[2:] if first else images.shape[1:3]
    return height, width


def compiled(recipe: Recipe, image_shape: tuple[int, int], classes: int) -> keras.Sequential:
    """Return the network of a recipe, untrained and compiled."""
    network = build(recipe.model, image_shape, classes, recipe.data_format)
    network.compile(
        optimizer=build_optimizer(recipe.optimizer),
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
