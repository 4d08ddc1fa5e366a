"""Keras networks from config."""

from collections.abc import Mapping
from typing import Any

import keras

from sidebyside.engine.recipe import (
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    Network,
    Pool,
    Recipe,
)
from sidebyside.engine.training.shapes import Layer, layer_shapes


def build(wanted: Network) -> keras.Sequential:
    """Return a network of its model's blocks with a softmax output, not yet compiled.

    Layers are named by type and number, so that leaving dropout out renames no other layer and
    two networks built in one process are stored alike.

    Raises
    ------
    UserError
        If no network has these shapes, see `sidebyside.engine.training.shapes.layer_shapes`.
    """
    recipe = wanted.recipe
    channels_last = recipe.data_format == "channels_last"
    shape = (*wanted.image_shape, 1) if channels_last else (1, *wanted.image_shape)
    layers = layer_shapes(recipe.model, wanted.image_shape, wanted.classes)
    return keras.Sequential(
        [keras.Input(shape, name="image"), *(_layer(layer, recipe) for layer in layers)],
        name=recipe.model.name.replace(".", "_"),
    )


def build_optimizer(config: Mapping[str, Any]) -> keras.optimizers.Optimizer:
    """Return the Keras optimizer of a config with ``_target_`` and its constructor's arguments.

    The name is given as well: Keras would number the optimizers of a process.

    Raises
    ------
    AttributeError
        If Keras has no optimizer of that name.
    """
    arguments = {name: value for name, value in config.items() if name != "_target_"}
    optimizer = getattr(keras.optimizers, config["_target_"].rpartition(".")[2])
    return optimizer(**arguments)


def _layer(layer: Layer, recipe: Recipe) -> keras.layers.Layer:
    block, data_format = layer.block, recipe.data_format
    named: dict[str, Any] = {"name": layer.name, "dtype": recipe.precision}
    initialized = {"kernel_initializer": recipe.model.kernel_initializer}
    match block:
        case Conv():
            return keras.layers.Conv2D(
                block.filters,
                block.kernel_size,
                padding=block.padding,
                activation=block.activation,
                data_format=data_format,
                **initialized,
                **named,
            )
        case Pool():
            return keras.layers.MaxPooling2D(block.size, data_format=data_format, **named)
        case BatchNorm():
            axis = 1 if data_format == "channels_first" and len(layer.shape) > 1 else -1
            return keras.layers.BatchNormalization(axis=axis, **named)
        case Dropout():
            return keras.layers.Dropout(block.rate, **named)
        case Flatten():
            # Transposes channels_first, so that the same dense weights serve both data formats.
            return keras.layers.Flatten(data_format=data_format, **named)
        case Dense():
            activation: str = block.activation
            if layer.name == "output":
                activation, named["dtype"] = "softmax", "float32"  # as precise as its loss needs
            return keras.layers.Dense(block.units, activation=activation, **initialized, **named)
