"""Training and testing of a network over many batches, without Python between two of them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from sidebyside.engine.recipe import Network
from sidebyside.engine.training.arrays import VALUES, Subset, pixels_of
from sidebyside.engine.training.augmentation import build_augmentation

_AT_ONCE = 1000  # images that are turned to pixels
_STEPS = 32  # batches after which Python may react, to Ctrl-C for instance
_TEST_BATCH = 250  # images; no result depends on it but for the rounding of a mean

_Graph = Callable[..., Any]


@dataclass(frozen=True)
class Loaded:
    """A subset as tensors, its images as pixels: a quarter of the memory, and the same bits."""

    pixels: tf.Tensor
    labels: tf.Tensor
    levels: tf.Tensor
    indices: NDArray[np.int32]

    def beside(self, own: Subset, other: Subset, channel_axis: int) -> "Loaded":
        """Return another subset as tensors, these ones where it is of the same images."""
        if other.images is own.images:
            return replace(self, indices=other.indices.astype(np.int32))
        return load(other, channel_axis)


def load(subset: Subset, channel_axis: int) -> Loaded:
    """Return a subset as tensors.

    Raises
    ------
    ValueError
        If its images aren't pixels of 8 bits at its levels.
    """
    pixels = np.empty(subset.images.shape, np.uint8)
    for start in range(0, len(pixels), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        pixels[part] = pixels_of(subset.images[part], subset.levels, channel_axis)
    labels, levels = tf.constant(np.asarray(subset.labels)), tf.constant(subset.levels.ravel())
    return Loaded(tf.constant(pixels), labels, levels, subset.indices.astype(np.int32))


class Loops:
    """A network with the graphs of its training and of its testing, traced once.

    Parameters
    ----------
    network : keras.Model
        Compiled and built.
    wanted : Network
        What it was made from.
    """

    def __init__(self, network: keras.Model, wanted: Network) -> None:
        self.network = network
        recipe = wanted.recipe
        self._augmentation = build_augmentation(recipe)
        self._weights = tf.Variable(tf.ones(wanted.classes), trainable=False)
        step = network.train_step
        if recipe.augmentation or recipe.class_weight:
            step = self._step
        # Traced here, so that no time of its is taken for that of training steps.
        self._train = _over_batches(wanted, step).get_concrete_function()
        self._test = _over_batches(wanted, network.test_step)

    def weigh(self, of_classes: NDArray[np.float32]) -> None:
        """Let the images of each class count for so much in training."""
        self._weights.assign(of_classes)

    def reseed(self, seed: int, epoch: int) -> None:
        """Let what is random in an augmentation depend on nothing but these."""
        self._augmentation.reseed(seed, epoch)

    def _step(self, batch: tuple[tf.Tensor, tf.Tensor]) -> Any:
        images, labels = batch
        weights = tf.linalg.matvec(labels, self._weights)
        return self.network.train_step((self._augmentation(images), labels, weights))

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
            part = tf.constant(order[start : start + step])
            graph(loaded.pixels, loaded.labels, loaded.levels, part, size)
        return {name: float(value) for name, value in self.network.get_metrics_result().items()}


def _over_batches(wanted: Network, step: Callable[[tuple[tf.Tensor, tf.Tensor]], Any]) -> Any:
    """Return a graph that takes a step for each batch of the images in an order."""
    first = wanted.recipe.data_format == "channels_first"
    channels = wanted.image_shape[-1]
    offsets = VALUES * np.arange(channels, dtype=np.int32).reshape(
        (channels, 1, 1) if first else (1, 1, channels)
    )

    def run(
        pixels: tf.Tensor,
        labels: tf.Tensor,
        levels: tf.Tensor,
        order: tf.Tensor,
        batch_size: tf.Tensor,
    ) -> None:
        def take(start: tf.Tensor) -> tuple[tf.Tensor]:
            chosen = order[start : start + batch_size]
            values = tf.cast(tf.gather(pixels, chosen), tf.int32)
            if channels > 1:
                values += offsets
            # Looked up and not divided, which a compiler might make a product of.
            step((tf.gather(levels, values), tf.gather(labels, chosen)))
            return (start + batch_size,)

        count = tf.shape(order)[0]
        tf.while_loop(lambda start: start < count, take, (0,), parallel_iterations=1)

    return tf.function(
        run,
        input_signature=[
            tf.TensorSpec([None, *wanted.input_shape], tf.uint8),
            tf.TensorSpec([None, wanted.classes], tf.float32),
            tf.TensorSpec([VALUES * channels], tf.float32),
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([], tf.int32),
        ],
        autograph=False,  # which takes longer than all the rest of tracing
        jit_compile=False,  # six times slower on a CPU for networks like these
    )
