"""Logits of many images, by a graph that is traced once for all networks of one architecture."""

import time
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from sidebyside.engine.blocks import Instance
from sidebyside.engine.recipe import Network
from sidebyside.engine.scoring.saved_model import WEIGHTS
from sidebyside.engine.training.networks import OUTPUT, build

_AT_ONCE = 250  # images
_TIMED = {1: 30, 256: 5}  # images of a batch, and how often it is timed
_TINY = 1e-30  # the least probability that is told from another

Weights = Sequence[NDArray[np.float32]]


class Forward:
    """A network without its softmax; a model of one's own with it, and then their logarithm."""

    def __init__(self, wanted: Network) -> None:
        self._network = build(wanted)
        self._input_shape = wanted.input_shape
        self._own = isinstance(wanted.recipe.model, Instance)
        if not self._own:
            self._network.get_layer(OUTPUT).activation = keras.activations.linear
        self._graph = tf.function(
            self._logits,
            input_signature=[tf.TensorSpec((None, *wanted.input_shape), tf.float32)],
            autograph=False,
        )

    def _logits(self, images: tf.Tensor) -> tf.Tensor:
        outputs = self._network(images, training=False)
        return (
            tf.math.log(tf.maximum(tf.cast(outputs, tf.float32), _TINY)) if self._own else outputs
        )

    def read_weights(self, folder: Path) -> Weights:
        """Return the weights that `saved_model.write_network` wrote, their digests verified."""
        self._network.load_weights(folder / WEIGHTS)
        weights: Weights = self._network.get_weights()
        return weights

    def logits(self, weights: Weights, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the output layer gives before softmax, shape (N, classes)."""
        self._network.set_weights(list(weights))
        parts = range(0, len(images), _AT_ONCE)
        return np.concatenate(
            [self._graph(tf.constant(images[start : start + _AT_ONCE])) for start in parts]
        )

    @cached_property
    def milliseconds(self) -> dict[str, float]:
        """How long a batch takes, by its number of images, on the threads of this process.

        The least of several, as others may share the machine.
        """
        return {str(size): self._least(size, times) for size, times in _TIMED.items()}

    def _least(self, size: int, times: int) -> float:
        images = tf.zeros((size, *self._input_shape))
        taken = []
        for _ in range(1 + times):  # the first one warms up
            began = time.perf_counter()
            self._graph(images).numpy()
            taken.append(time.perf_counter() - began)
        return round(1000 * min(taken), 4)


@lru_cache(maxsize=2)
def forward(wanted: Network) -> Forward:
    """Return a network without its softmax, the one of before if this process has had it."""
    return Forward(wanted)
