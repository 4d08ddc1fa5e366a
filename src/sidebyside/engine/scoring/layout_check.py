"""The same weights in both data formats: the same network, up to rounding."""

from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from sidebyside.engine.recipe import Recipe
from sidebyside.engine.training.networks import build

_BATCH_SIZE = 500


@dataclass(frozen=True)
class LayoutCheck:
    """A network against itself in the other data format.

    Attributes
    ----------
    images : int
        How many were tried.
    flips : int
        How many are predicted as another class.
    largest_difference : float
        Of any logit (the output layer before softmax).
    """

    images: int
    flips: int
    largest_difference: float


def check_layout(
    network: keras.Sequential,
    recipe: Recipe,
    image_shape: tuple[int, int],
    images: NDArray[np.float32],
) -> LayoutCheck | None:
    """Give the weights of a network to one of the other data format and compare their logits.

    Parameters
    ----------
    network : keras.Sequential
        Left as it is.
    recipe : Recipe
        That it was trained by.
    image_shape : tuple of int
        (height, width) in pixels.
    images : ndarray of float32, shape (N, height, width, 1) or (N, 1, height, width)

    Returns
    -------
    LayoutCheck or None
        None where this machine can't compute channels_first convolutions.
    """
    import tensorflow as tf

    first = recipe.data_format == "channels_first"
    other = build(
        recipe.model,
        image_shape,
        network.output_shape[-1],
        "channels_last" if first else "channels_first",
    )
    other.set_weights(network.get_weights())
    moved = np.moveaxis(images, 1, -1) if first else np.moveaxis(images, -1, 1)
    try:
        here, there = _logits(network, images), _logits(other, np.ascontiguousarray(moved))
    except (tf.errors.UnimplementedError, tf.errors.InvalidArgumentError):
        return None
    return LayoutCheck(
        images=len(images),
        flips=int((here.argmax(axis=1) != there.argmax(axis=1)).sum()),
        largest_difference=round(float(np.abs(here - there).max()), 6),
    )


def _logits(network: keras.Sequential, images: NDArray[np.float32]) -> NDArray[np.float32]:
    bare = keras.models.clone_model(network)
    bare.set_weights(network.get_weights())
    bare.layers[-1].activation = keras.activations.linear
    logits: NDArray[np.float32] = bare.predict(images, batch_size=_BATCH_SIZE, verbose=0)
    return logits
