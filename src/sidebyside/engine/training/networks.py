"""Keras networks from config."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from sidebyside.engine.blocks import (
    Act,
    AveragePool,
    BatchNorm,
    Conv,
    Convolution,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalPool,
    GroupNorm,
    Instance,
    LayerNorm,
    Pool,
    Residual,
    SeparableConv,
    SqueezeExcite,
    with_inner,
)
from sidebyside.engine.recipe import Network, Recipe
from sidebyside.engine.training.own_models import build_own
from sidebyside.engine.training.schedules import build_schedule
from sidebyside.engine.training.shapes import Layer, layer_shapes

OUTPUT = "output"  # the layer that gives a probability for each class


def build(wanted: Network) -> keras.Model:
    """Return a network with a softmax output, not yet compiled.

    Layers are named by type and number, so that leaving dropout out renames no other layer and
    two networks built in one process are stored alike.

    Raises
    ------
    UserError
        If no network has these shapes, see `sidebyside.engine.training.shapes.layer_shapes`, or a
        model of one's own can't be built.
    """
    recipe, model = wanted.recipe, wanted.recipe.model
    if isinstance(model, Instance):
        return build_own(wanted, model)
    layers = layer_shapes(model, wanted.image_shape, wanted.classes)
    name = model.name.replace(".", "_")
    image = keras.Input(wanted.input_shape, name="image")
    if any(isinstance(block, Residual | SqueezeExcite) for block in with_inner(model.blocks)):
        return keras.Model(image, _through(layers, image, recipe), name=name)
    return keras.Sequential([image, *(_layer(layer, recipe) for layer in layers)], name=name)


def build_optimizer(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    """Return the Keras optimizer of a recipe, with its schedule and average of weights.

    The name is given as well: Keras would number the optimizers of a process.

    Parameters
    ----------
    recipe : Recipe
    steps : int
        Batches of an epoch.

    Raises
    ------
    AttributeError
        If Keras has no optimizer of that name.
    """
    config: Mapping[str, Any] = recipe.optimizer
    given = {name: value for name, value in config.items() if name != "_target_"}
    if recipe.schedule is not None:
        given["learning_rate"] = build_schedule(
            recipe.schedule, config["learning_rate"], steps, recipe.epochs
        )
    if recipe.ema is not None:
        given |= {"use_ema": True, "ema_momentum": recipe.ema}
    optimizer = getattr(keras.optimizers, config["_target_"].rpartition(".")[2])
    return optimizer(**given)


def _through(layers: Sequence[Layer], tensor: Any, recipe: Recipe) -> Any:
    for layer in layers:
        match layer.block:
            case Residual():
                tensor = _around(layer, tensor, recipe)
            case SqueezeExcite():
                tensor = _excited(layer, tensor, recipe)
            case _:
                tensor = _layer(layer, recipe)(tensor)
    return tensor


def _around(layer: Layer, tensor: Any, recipe: Recipe) -> Any:
    """Return what a residual block makes of a tensor."""
    block = layer.block
    assert isinstance(block, Residual)
    shortcut, inner = tensor, _through(layer.inner, tensor, recipe)
    if layer.projected:
        shortcut = _projection(layer, recipe)(tensor)
    added = keras.layers.Add(name=layer.name, dtype=recipe.precision)([shortcut, inner])
    name = f"{layer.name}_{block.activation}"
    return keras.layers.Activation(block.activation, name=name, dtype=recipe.precision)(added)


def _projection(layer: Layer, recipe: Recipe) -> keras.layers.Layer:
    named: dict[str, Any] = {"name": f"{layer.name}_shortcut", "dtype": recipe.precision}
    if len(layer.shape) == 1:
        return keras.layers.Dense(layer.shape[0], **named)
    strides = -(-layer.before[0] // layer.shape[0])
    return keras.layers.Conv2D(
        layer.shape[-1], 1, strides=strides, data_format=recipe.data_format, **named
    )


def _excited(layer: Layer, tensor: Any, recipe: Recipe) -> Any:
    """Return a tensor whose channels are weighted by what their averages say."""
    name, channels = layer.name, layer.shape[-1]

    def named(part: str) -> dict[str, Any]:
        return {"name": f"{name}_{part}", "dtype": recipe.precision}

    first = recipe.data_format == "channels_first"
    weights = keras.layers.GlobalAveragePooling2D(recipe.data_format, **named("pool"))(tensor)
    weights = keras.layers.Dense(layer.squeezed, "relu", **named("squeeze"))(weights)
    weights = keras.layers.Dense(channels, "sigmoid", **named("excite"))(weights)
    shape = (channels, 1, 1) if first else (1, 1, channels)
    weights = keras.layers.Reshape(shape, **named("weights"))(weights)
    return keras.layers.Multiply(name=name, dtype=recipe.precision)([tensor, weights])


def _layer(layer: Layer, recipe: Recipe) -> keras.layers.Layer:
    block, data_format = layer.block, recipe.data_format
    named: dict[str, Any] = {"name": layer.name, "dtype": recipe.precision}
    match block:
        case Conv() | SeparableConv() | DepthwiseConv():
            return _convolution(block, {"data_format": data_format, **named})
        case Pool():
            return keras.layers.MaxPooling2D(block.size, data_format=data_format, **named)
        case AveragePool():
            return keras.layers.AveragePooling2D(block.size, data_format=data_format, **named)
        case GlobalPool():
            average, largest = (
                keras.layers.GlobalAveragePooling2D,
                keras.layers.GlobalMaxPooling2D,
            )
            return (average if block.of == "average" else largest)(data_format, **named)
        case BatchNorm():
            return keras.layers.BatchNormalization(axis=_channels(layer, recipe), **named)
        case LayerNorm():
            return keras.layers.LayerNormalization(axis=_channels(layer, recipe), **named)
        case GroupNorm():
            axis = _channels(layer, recipe)
            return keras.layers.GroupNormalization(block.groups, axis=axis, **named)
        case Dropout():
            return keras.layers.Dropout(block.rate, **named)
        case Act():
            return keras.layers.Activation(block.activation, **named)
        case Flatten():
            # Transposes channels_first, so that the same dense weights serve both data formats.
            return keras.layers.Flatten(data_format=data_format, **named)
        case Dense():
            activation: str = block.activation
            if layer.name == OUTPUT:
                activation, named["dtype"] = "softmax", "float32"  # as precise as its loss needs
            return keras.layers.Dense(
                block.units,
                activation=activation,
                kernel_initializer=block.kernel_initializer,
                kernel_regularizer=_penalty(block),
                **named,
            )
    raise TypeError(f"{layer.name} isn't a layer by itself")


def _convolution(block: Convolution, named: Mapping[str, Any]) -> keras.layers.Layer:
    given: dict[str, Any] = {
        "kernel_size": block.kernel_size,
        "strides": block.strides,
        "padding": block.padding,
        "activation": block.activation,
        **named,
    }
    initializer, penalty = block.kernel_initializer, _penalty(block)
    depthwise = {"depthwise_initializer": initializer, "depthwise_regularizer": penalty}
    match block:
        case DepthwiseConv():
            return keras.layers.DepthwiseConv2D(**given, **depthwise)
        case SeparableConv():
            pointwise = {"pointwise_initializer": initializer, "pointwise_regularizer": penalty}
            return keras.layers.SeparableConv2D(block.filters, **given, **depthwise, **pointwise)
        case Conv():
            return keras.layers.Conv2D(
                block.filters,
                dilation_rate=block.dilation,
                kernel_initializer=initializer,
                kernel_regularizer=penalty,
                **given,
            )


def _penalty(block: Convolution | Dense) -> keras.regularizers.Regularizer | None:
    return keras.regularizers.L2(block.l2) if block.l2 else None


def _channels(layer: Layer, recipe: Recipe) -> int:
    """Return the axis of a layer's channels."""
    return 1 if recipe.data_format == "channels_first" and len(layer.shape) > 1 else -1
