"""The training of one network: same recipe, data and environment, same bits."""

import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from sidebyside.engine.recipe import DataFormat, Network, Recipe
from sidebyside.engine.training import determinism
from sidebyside.engine.training.arrays import Subset
from sidebyside.engine.training.loops import Loops, load
from sidebyside.engine.training.networks import build, build_optimizer
from sidebyside.engine.training.numerics import NumericClass

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
    """A trained network, and figures and weights digest after each epoch; see `State`.

    The network is warm: the next training of its kind in this process goes on with it.
    ``step_seconds`` is how long its training steps took.
    """

    network: keras.Sequential
    history: dict[str, list[float]]
    digests: list[str]
    step_seconds: float


def fit(
    recipe: Recipe,
    numerics: NumericClass,
    training: Subset,
    validation: Subset | None,
    on_epoch: OnEpoch,
    start: State | None = None,
) -> Fitted:
    """Train the network of a recipe.

    Parameters
    ----------
    recipe : Recipe
    numerics : str
        The numeric class, see `sidebyside.engine.training.numerics`.
    training : Subset
        Images in the recipe's data format.
    validation : Subset or None
        What the network is tried on after each epoch.
    on_epoch : callable
        Called with the state after each epoch.
    start : State, optional
        Of a training of the same run, to go on from.
    """
    determinism.fix(recipe.threads, numerics)
    shape = image_shape(recipe.data_format, training.images)
    loops = _begin(Network(recipe, shape, training.labels.shape[1]))
    state = State({}, [], [])
    if start:
        state = start
        _assign(loops.network, start.variables)
    loaded = load(training)
    held_out = validation and loaded.beside(training, validation)
    step_seconds = 0.0
    for epoch in range(state.epochs_done, recipe.epochs):
        order = _order(loaded.indices, recipe.seed, epoch)
        began = time.perf_counter()
        figures = loops.train(loaded, order, recipe.batch_size)
        step_seconds += time.perf_counter() - began
        if held_out:
            tried = loops.test(held_out)
            figures |= {f"val_{name}": value for name, value in tried.items()}
        state = _after_epoch(state, figures, loops.network)
        on_epoch(state)
    return Fitted(loops.network, state.history, state.digests, step_seconds)


def _begin(wanted: Network) -> Loops:
    """Return loops whose variables all are as in a network that has just been made."""
    keras.utils.set_random_seed(wanted.recipe.seed)
    made_before = _loops.cache_info().misses
    loops = _loops(wanted)
    if _loops.cache_info().misses == made_before:
        _assign(loops.network, _variables(compiled(wanted)))
    return loops


@lru_cache(maxsize=1)
def _loops(wanted: Network) -> Loops:
    """Return loops that all runs of this process go through that differ in nothing but seed."""
    return Loops(compiled(wanted))


def _variables(network: keras.Sequential) -> list[keras.Variable]:
    """Return those of the network, dropout's random state among them, then the optimizer's."""
    return [*network.variables, *network.optimizer.variables]


def _assign(network: keras.Sequential, values: Iterable[Any]) -> None:
    for variable, value in zip(_variables(network), values, strict=True):
        variable.assign(value)


def _order(indices: NDArray[np.int32], seed: int, epoch: int) -> NDArray[np.int32]:
    """Return the order of the images in an epoch, from 0."""
    # By number, not by state: Keras' own shuffling repeats one order after set_random_seed, and a
    # continued run must see the orders it would have seen.
    return indices[np.random.default_rng([seed, epoch]).permutation(len(indices))]


def _after_epoch(before: State, figures: dict[str, float], network: keras.Sequential) -> State:
    history = {
        name: [*before.history.get(name, []), round(value, _DECIMALS)]
        for name, value in figures.items()
    }
    digests = [*before.digests, weights_digest(network)]
    return State(history, digests, [np.asarray(value.numpy()) for value in _variables(network)])


def image_shape(data_format: DataFormat, images: NDArray[Any]) -> tuple[int, int]:
    """Return (height, width) of images in a data format."""
    height, width = images.shape[2:] if data_format == "channels_first" else images.shape[1:3]
    return height, width


def compiled(wanted: Network) -> keras.Sequential:
    """Return a network, untrained, compiled and with its optimizer's variables."""
    network = build(wanted)
    network.compile(
        optimizer=build_optimizer(wanted.recipe.optimizer),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,
    )
    network.optimizer.build(network.trainable_variables)
    return network


def weights_digest(network: keras.Model) -> str:
    """Return the SHA-256 over each variable's dtype, shape and C-order bytes, in order."""
    digest = hashlib.sha256()
    for variable in network.variables:
        value: NDArray[Any] = np.ascontiguousarray(variable.numpy())
        digest.update(f"{value.dtype.str}{value.shape}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()
