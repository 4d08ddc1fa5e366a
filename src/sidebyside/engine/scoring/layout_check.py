"""The same weights in both data formats: the same network, up to rounding."""

from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from sidebyside.engine.blocks import Instance
from sidebyside.engine.recipe import Network
from sidebyside.engine.scoring.forward import Weights, forward


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
    network: Network,
    weights: Weights,
    images: NDArray[np.float32],
    logits: NDArray[np.float32],
) -> LayoutCheck | None:
    """Give the weights of a network to one of the other data format and compare their logits.

    Parameters
    ----------
    network : Network
    weights : sequence of ndarray
    images : ndarray of float32, shape (N, height, width, channels) or (N, channels, height, width)
        In the network's own data format.
    logits : ndarray of float32, shape (N, classes)
        What the network gives for them.

    Returns
    -------
    LayoutCheck or None
        None where this machine can't compute channels_first convolutions, and for a model of
        one's own, which says itself what it makes of a data format.
    """
    if isinstance(network.recipe.model, Instance):
        return None
    first = network.recipe.data_format == "channels_first"
    recipe = replace(network.recipe, data_format="channels_last" if first else "channels_first")
    moved = np.moveaxis(images, 1, -1) if first else np.moveaxis(images, -1, 1)
    try:
        other = forward(replace(network, recipe=recipe)).logits(weights, moved)
    except (tf.errors.UnimplementedError, tf.errors.InvalidArgumentError):
        return None
    return LayoutCheck(
        images=len(images),
        flips=int((logits.argmax(axis=1) != other.argmax(axis=1)).sum()),
        largest_difference=round(float(np.abs(logits - other).max()), 6),
    )
