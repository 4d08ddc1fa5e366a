"""Training images changed at random, by layers of Keras, the same way for a seed and an epoch."""

import inspect
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from sidebyside.engine.recipe import Recipe


class Augmenter:
    """Layers that images go through one after another; none without any."""

    def __init__(self, layers: list[keras.layers.Layer]) -> None:
        self._layers = layers

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Return a batch of images, changed."""
        for layer in self._layers:
            images = layer(images, training=True)
        return images

    def reseed(self, seed: int, epoch: int) -> None:
        """Set the random state of each layer, as it is at the start of an epoch."""
        for number, layer in enumerate(self._layers):
            for state in layer.variables:
                drawn = np.random.default_rng([seed, epoch, number])
                state.assign(drawn.integers(2**32, size=state.shape, dtype=np.uint32))


def build_augmentation(recipe: Recipe) -> Augmenter:
    """Return the layers of a recipe's augmentation, in its data format.

    Raises
    ------
    AttributeError, TypeError, ValueError
        If Keras has no such layer, or it takes no such arguments.
    """
    wanted = recipe.augmentation.layers if recipe.augmentation else []
    return Augmenter([_layer(config, recipe) for config in wanted])


def _layer(config: dict[str, Any], recipe: Recipe) -> keras.layers.Layer:
    make = getattr(keras.layers, config["_target_"].rpartition(".")[2])
    given = {name: value for name, value in config.items() if name != "_target_"}
    if "data_format" in inspect.signature(make).parameters:
        given["data_format"] = recipe.data_format
    layer = make(**given, seed=0)
    random = [state for state in layer.variables if np.issubdtype(state.dtype, np.integer)]
    if len(random) != len(layer.variables) or not random:
        raise ValueError(f"{config['_target_']} changes nothing at random")
    return layer
