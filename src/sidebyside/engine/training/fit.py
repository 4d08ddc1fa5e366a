"""The training of one network: same recipe, data and environment, same bits."""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from sidebyside.engine.blocks import Instance
from sidebyside.engine.recipe import DataFormat, Network, Recipe
from sidebyside.engine.training import determinism
from sidebyside.engine.training.arrays import Subset
from sidebyside.engine.training.gpus import Device
from sidebyside.engine.training.loops import Loaded, Loops, load
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
    best : list of ndarray
        The network's variables after the epoch with the lowest validation loss; empty unless the
        recipe keeps these.
    """

    history: dict[str, list[float]]
    digests: list[str]
    variables: list[NDArray[Any]]
    best: list[NDArray[Any]] = field(default_factory=list)

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

    The last epoch is the one whose weights are kept.
    The network is warm: the next training of its kind in this process goes on with it.
    ``step_seconds`` is how long its training steps took.
    """

    network: keras.Model
    made_from: Network
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
    device: Device = "cpu",
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
    device : "cpu" or "gpu"
        Where; a process keeps to one.
    """
    determinism.fix(recipe.threads, numerics, device)
    shape = image_shape(recipe.data_format, training.images)
    steps = -(-len(training.indices) // recipe.batch_size)
    wanted = Network(recipe, shape, training.labels.shape[1], steps)
    loops = _begin(wanted)
    if recipe.class_weight:
        loops.weigh(_balanced(training))
    state = State({}, [], [])
    if start:
        state = start
        _assign(loops.network, start.variables)
    loaded = load(training, wanted.channel_axis)
    held_out = None
    if validation:
        held_out = loaded.beside(training, validation, wanted.channel_axis)
    step_seconds = 0.0
    while not is_over(recipe, state):
        epoch = state.epochs_done
        order = _order(loaded.indices, recipe.seed, 0 if recipe.order == "once" else epoch)
        loops.reseed(recipe.seed, epoch)
        began = time.perf_counter()
        figures = loops.train(loaded, order, recipe.batch_size)
        step_seconds += time.perf_counter() - began
        state = _tried(loops, recipe, state, figures, held_out)
        on_epoch(state)
    return _kept(Fitted(loops.network, wanted, state.history, state.digests, step_seconds), state)


def is_over(recipe: Recipe, state: State) -> bool:
    """Whether a training has had its epochs, or as many without a lower loss as it may have."""
    if recipe.patience and state.epochs_done:
        since_best = state.epochs_done - 1 - _best_epoch(state.history)
        if since_best >= recipe.patience:
            return True
    return state.epochs_done >= recipe.epochs


def _begin(wanted: Network) -> Loops:
    """Return loops whose variables all are as in a network that has just been made."""
    keras.utils.set_random_seed(wanted.recipe.seed)
    made_before = _loops.cache_info().misses
    if isinstance(wanted.recipe.model, Instance):
        # Its layers may be named by their number in this process.
        keras.utils.clear_session(free_memory=False)
        keras.utils.set_random_seed(wanted.recipe.seed)
    loops = _loops(wanted)
    if _loops.cache_info().misses == made_before:
        _assign(loops.network, _variables(compiled(wanted)))
    return loops


@lru_cache(maxsize=1)
def _loops(wanted: Network) -> Loops:
    """Return loops that all runs of this process go through that differ in nothing but seed."""
    return Loops(compiled(wanted), wanted)


def _variables(network: keras.Model) -> list[keras.Variable]:
    """Return those of the network, dropout's random state among them, then the optimizer's."""
    return [*network.variables, *network.optimizer.variables]


def _assign(network: keras.Model, values: Iterable[Any]) -> None:
    for variable, value in zip(_variables(network), values, strict=True):
        variable.assign(value)


def _tried(
    loops: Loops,
    recipe: Recipe,
    before: State,
    figures: dict[str, float],
    held_out: Loaded | None,
) -> State:
    """Return the state after an epoch with these figures, and those of what is held out."""
    trained = _average(loops.network, recipe)
    if held_out:
        figures |= {f"val_{name}": value for name, value in loops.test(held_out).items()}
    state = _after_epoch(before, recipe, figures, loops.network)
    if trained and not is_over(recipe, state):
        for variable, value in zip(loops.network.trainable_variables, trained, strict=True):
            variable.assign(value)
    return replace(state, variables=_values(_variables(loops.network)))


def _average(network: keras.Model, recipe: Recipe) -> list[NDArray[Any]]:
    """Let the average of the weights take their place; return these, nothing without an average."""
    if recipe.ema is None:
        return []
    trained = _values(network.trainable_variables)
    network.optimizer.finalize_variable_values(network.trainable_variables)
    return trained


def _kept(fitted: Fitted, state: State) -> Fitted:
    """Return a training that ends with the epoch whose weights are kept."""
    if not state.best:
        return fitted
    for variable, value in zip(fitted.network.variables, state.best, strict=True):
        variable.assign(value)
    epochs = _best_epoch(state.history) + 1
    history = {name: values[:epochs] for name, values in state.history.items()}
    return replace(fitted, history=history, digests=state.digests[:epochs])


def _best_epoch(history: Mapping[str, Sequence[float]]) -> int:
    """Return the first epoch with the lowest validation loss, from 0."""
    return int(np.argmin(np.nan_to_num(history["val_loss"], nan=np.inf)))


def _values(variables: Iterable[keras.Variable]) -> list[NDArray[Any]]:
    return [np.asarray(variable.numpy()) for variable in variables]


def _balanced(training: Subset) -> NDArray[np.float32]:
    """Return a weight for each class so that all count alike, 1 on average over the images."""
    counts = np.asarray(training.labels)[training.indices].sum(axis=0)
    weights: NDArray[np.float32] = counts.sum() / (len(counts) * np.maximum(counts, 1))
    return weights.astype(np.float32)


def _order(indices: NDArray[np.int32], seed: int, epoch: int) -> NDArray[np.int32]:
    """Return the order of the images in an epoch, from 0."""
    # By number, not by state: Keras' own shuffling repeats one order after set_random_seed, and a
    # continued run must see the orders it would have seen.
    return indices[np.random.default_rng([seed, epoch]).permutation(len(indices))]


def _after_epoch(
    before: State, recipe: Recipe, figures: dict[str, float], network: keras.Model
) -> State:
    """Return the state but for the variables to go on with."""
    history = {
        name: [*before.history.get(name, []), round(value, _DECIMALS)]
        for name, value in figures.items()
    }
    best = before.best
    if recipe.keep == "best" and _best_epoch(history) == before.epochs_done:
        best = _values(network.variables)
    return State(history, [*before.digests, weights_digest(network)], [], best)


def image_shape(data_format: DataFormat, images: NDArray[Any]) -> tuple[int, int, int]:
    """Return (height, width, channels) of images in a data format."""
    if data_format == "channels_first":
        channels, height, width = images.shape[1:]
    else:
        height, width, channels = images.shape[1:]
    return height, width, channels


def compiled(wanted: Network) -> keras.Model:
    """Return a network, untrained, compiled and with its optimizer's variables."""
    network, recipe = build(wanted), wanted.recipe
    network.compile(
        optimizer=build_optimizer(recipe, wanted.steps),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
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
