"""Keras networks from config."""

from collections.abc import Mapping
from typing import Any

import keras

from sidebyside.engine.recipe import (
    BatchNorm,
    Conv,
    DataFormat,
    Dense,
    Dropout,
    Flatten,
    Model,
    Pool,
)
from sidebyside.engine.training.shapes import Layer, layer_shapes


def build(
    model: Model, image_shape: tuple[int, int], classes: int, data_format: DataFormat
) -> keras.Sequential:
    """Return a network of ``model``'s blocks with a softmax output, not yet compiled.

    Layers are named by type and number, so that leaving dropout out renames no other layer and
    two networks built in one process are stored alike.

    Parameters
    ----------
    model : Model
    image_shape : tuple of int
        (height, width) in pixels.
    classes : int
    data_format : str
        "channels_last" for input (N, height, width, 1), "channels_first" for (N, 1, height, width).

    Raises
    ------
    UserError
        If no network has these shapes, see `sidebyside.engine.training.shapes.layer_shapes`.
    """
    channels_last = data_format == "channels_last"
    shape = (*image_shape, 1) if channels_last else (1, *image_shape)
    layers = layer_shapes(model, image_shape, classes)
    return keras.Sequential(
        [
            keras.Input(shape, name="image"),
            *(_layer(layer, data_format, model.kernel_initializer) for layer in layers),
        ],
        name=model.name.replace(".", "_"),
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


def _layer(layer: Layer, data_format: DataFormat, initializer: str) -> keras.layers.Layer:
    block, name = layer.block, layer.name
    match block:
        case Conv():
            return keras.layers.Conv2D(
                block.filters,
                block.kernel_size,
                padding=block.padding,
                activation=block.activation,
                data_format=data_format,
                kernel_initializer=initializer,
                name=name,
            )
        case Pool():
            return keras.layers.MaxPooling2D(block.size, data_format=data_format, name=name)
        case BatchNorm():
            axis = 1 if data_format == "channels_first" and len(layer.shape) > 1 else -1
            return keras.layers.BatchNormalization(axis=axis, name=name)
        case Dropout():
            return keras.layers.Dropout(block.rate, name=name)
        case Flatten():
            # Transposes channels_first, so that the same dense weights serve both data formats.
            return keras.layers.Flatten(data_format=data_format, name=name)
        case Dense():
            activation = "softmax" if name == "output" else block.activation
            return keras.layers.Dense(
                block.units, activation=activation, kernel_initializer=initializer, name=name
            )
