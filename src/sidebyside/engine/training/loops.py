"""Training and testing of a network over many batches, without Python between two of them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from sidebyside.engine.training.arrays import Subset

_WHITE = np.float32(255)  # the largest value of a pixel
_LEVELS = np.arange(256, dtype=np.float32) / _WHITE  # what the values of a pixel are scaled to
_AT_ONCE = 1000  # images that are turned to pixels
_STEPS = 32  # batches after which Python may react, to Ctrl-C for instance
_TEST_BATCH = 250  # images; no result depends on it but for the rounding of a mean

_Graph = Callable[..., Any]


@dataclass(frozen=True)
class Loaded:
    """A subset as tensors, its images as pixels: a quarter of the memory, and the same bits."""

    pixels: tf.Tensor
    labels: tf.Tensor
    indices: NDArray[np.int32]

    def beside(self, own: Subset, other: Subset) -> "Loaded":
        """Return another subset as tensors, these ones where it is of the same images."""
        if other.images is own.images:
            return replace(self, indices=other.indices.astype(np.int32))
        return load(other)


def load(subset: Subset) -> Loaded:
    """Return a subset as tensors.

    Raises
    ------
    ValueError
        If its images aren't pixels of 8 bits, scaled to [0, 1].
    """
    pixels = np.empty(subset.images.shape, np.uint8)
    for start in range(0, len(pixels), _AT_ONCE):
        images = subset.images[start : start + _AT_ONCE]
        part = np.rint(images * _WHITE).astype(np.uint8)
        if not np.array_equal(_LEVELS[part], images):
            raise ValueError("images aren't pixels of 8 bits, scaled to [0, 1] by 1/255")
        pixels[start : start + _AT_ONCE] = part
    labels = tf.constant(np.asarray(subset.labels))
    return Loaded(tf.constant(pixels), labels, subset.indices.astype(np.int32))


class Loops:
    """A network with the graphs of its training and of its testing, traced once.

    Parameters
    ----------
    network : keras.Model
        Compiled and built.
    """

    def __init__(self, network: keras.Model) -> None:
        self.network = network
        # Traced here, so that no time of its is taken for that of training steps.
        self._train = _over_batches(network, network.train_step).get_concrete_function()
        self._test = _over_batches(network, network.test_step)

    def train(self, loaded: Loaded, order: NDArray[np.int32], batch_size: int) -> dict[str, float]:
        """Train for an epoch on images in this order and return its figures."""
        return self._run(self._train, loaded, order, batch_size)

    def test(self, loaded: Loaded) -> dict[str, float]:
        """Return the figures of all images of a subset."""
        return self._run(self._test, loaded, loaded.indices, _TEST_BATCH)

    def _run(
        self,
        graph: _Graph,
        loaded: Loaded,
        order: NDArray[np.int32],
        batch_size: int,
    ) -> dict[str, float]:
        self.network.reset_metrics()
        step, size = _STEPS * batch_size, tf.constant(batch_size)
        for start in range(0, len(order), step):
            graph(loaded.pixels, loaded.labels, tf.constant(order[start : start + step]), size)
        return {name: float(value) for name, value in self.network.get_metrics_result().items()}


def _over_batches(network: keras.Model, step: Callable[[tuple[tf.Tensor, tf.Tensor]], Any]) -> Any:
    """Return a graph that takes a step for each batch of the images in an order."""

    def run(pixels: tf.Tensor, labels: tf.Tensor, order: tf.Tensor, batch_size: tf.Tensor) -> None:
        def take(start: tf.Tensor) -> tuple[tf.Tensor]:
            chosen = order[start : start + batch_size]
            # Looked up and not divided, which a compiler might make a product of.
            images = tf.gather(_LEVELS, tf.cast(tf.gather(pixels, chosen), tf.int32))
            step((images, tf.gather(labels, chosen)))
            return (start + batch_size,)

        count = tf.shape(order)[0]
        tf.while_loop(lambda start: start < count, take, (0,), parallel_iterations=1)

    return tf.function(
        run,
        input_signature=[
            tf.TensorSpec([None, *network.input_shape[1:]], tf.uint8),
            tf.TensorSpec([None, network.output_shape[-1]], tf.float32),
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([], tf.int32),
        ],
        autograph=False,  # which takes longer than all the rest of tracing
        jit_compile=False,  # six times slower on a CPU for networks like these
    )
