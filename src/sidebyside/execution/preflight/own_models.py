"""Whether a model of one's own keeps what is promised of a run, tried on one batch."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from sidebyside.engine.blocks import Instance
from sidebyside.engine.recipe import Network, Precision
from sidebyside.engine.scoring.saved_model import read_network, write_network
from sidebyside.engine.training.fit import compiled, weights_digest
from sidebyside.errors import UserError

_IMAGES = 4
_TOLERANCE: dict[Precision, float] = {  # of a sum of probabilities
    "float32": 1e-3,
    "mixed_bfloat16": 1e-2,  # each of 8 bits
}


def check_own(wanted: Network) -> None:
    """Train a batch of a model of one's own twice, and load it once.

    Raises
    ------
    UserError
        If its outputs are no probabilities, the same batch gives other weights, or what is loaded
        predicts something else than what was saved.
    """
    model = wanted.recipe.model
    assert isinstance(model, Instance)
    generator = np.random.default_rng(0)
    images = generator.random((_IMAGES, *wanted.input_shape), np.float32)
    labels = np.eye(wanted.classes, dtype=np.float32)[np.arange(_IMAGES) % wanted.classes]

    network = _fresh(wanted)
    _check_probabilities(network, images, model, _TOLERANCE[wanted.recipe.precision])
    before = [variable.numpy() for variable in _variables(network)]
    first = _trained(network, images, labels, model)
    for variable, value in zip(_variables(network), before, strict=True):
        variable.assign(value)
    if _trained(network, images, labels, model) != first:
        raise UserError(
            f"model={model.name}: the same batch gives other weights the second time. It keeps "
            f"state outside its variables, or draws numbers without a seed: let {model.target} "
            "keep what changes in Keras variables, and draw by keras.random with a SeedGenerator."
        )
    again = _fresh(wanted)
    if _trained(again, images, labels, model) != first:
        raise UserError(
            f"model={model.name}: built twice with the same seed it trains to other weights: let "
            f"{model.target} depend on its arguments alone, and draw by keras.random."
        )
    _check_loaded(network, wanted, images, model)


def _fresh(wanted: Network) -> keras.Model:
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(wanted.recipe.seed)
    return compiled(wanted)


def _variables(network: keras.Model) -> list[keras.Variable]:
    return [*network.variables, *network.optimizer.variables]


def _trained(
    network: keras.Model, images: NDArray[Any], labels: NDArray[Any], model: Instance
) -> str:
    """Return the weights' digest after a step, on the same batch."""
    try:
        network.train_on_batch(images, labels)
    except Exception as error:  # the user's own code
        line = (str(error).strip().splitlines() or [""])[0]
        raise UserError(
            f"model={model.name} can't be trained: {type(error).__name__}: {line}"
        ) from None
    return weights_digest(network)


def _check_probabilities(
    network: keras.Model, images: NDArray[Any], model: Instance, tolerance: float
) -> None:
    outputs = np.asarray(network(images, training=False), np.float32)
    # What is NaN is neither.
    if not (outputs.min() >= 0 and np.abs(outputs.sum(axis=1) - 1).max() <= tolerance):
        raise UserError(
            f"model={model.name}: what {model.target} gives for an image isn't a probability for "
            "each class: let it end with activation softmax."
        )


def _check_loaded(
    network: keras.Model, wanted: Network, images: NDArray[Any], model: Instance
) -> None:
    expected = np.asarray(network(images, training=False), np.float32)
    try:
        with TemporaryDirectory() as folder:
            write_network(network, wanted, Path(folder))
            loaded = np.asarray(read_network(Path(folder))(images, training=False), np.float32)
    except Exception as error:
        line = (str(error).strip().splitlines() or [""])[0]
        raise UserError(
            f"model={model.name} can't be saved and loaded: {type(error).__name__}: {line}"
        ) from None
    if not np.array_equal(loaded, expected, equal_nan=True):  # a step may have diverged
        raise UserError(
            f"model={model.name} predicts something else once it is saved and loaded: something "
            f"that it needs isn't among its weights. Let {model.target} keep it in a layer's "
            "variables."
        )
