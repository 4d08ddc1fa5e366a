"""The summary of a network, each shape and parameter count with the formula it comes from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

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
    LayerNorm,
    Model,
    Pool,
    Residual,
    SeparableConv,
    SqueezeExcite,
)
from sidebyside.engine.recipe import DataFormat
from sidebyside.engine.training.shapes import Layer, Shape, flat, layer_shapes

_MOVING = 2  # of a batch normalisation's four parameters per channel aren't trained


@dataclass(frozen=True)
class SummaryRow:
    """One layer of a summary.

    Attributes
    ----------
    name : str
        The layer's name in Keras.
    kind : str
        Its class in Keras and what it was given.
    shape : tuple
        Output, the first dimension None for the images of a batch.
    shape_formula : str
        How the shape follows from the one before; empty where it stays the same.
    parameters : int
    parameters_formula : str
        How the count follows; empty where there are none.
    trainable : int
        How many of the parameters are trained.
    """

    name: str
    kind: str
    shape: tuple[int | None, ...]
    shape_formula: str
    parameters: int
    parameters_formula: str
    trainable: int


def summarise(
    model: Model, image_shape: Shape, classes: int, data_format: DataFormat
) -> list[SummaryRow]:
    """Return the summary of a network, without building it.

    Formulas as in `sidebyside.engine.training.shapes`.
    """
    return [_row(layer, data_format) for layer in flat(layer_shapes(model, image_shape, classes))]


def operations(model: Model, image_shape: Shape, classes: int) -> int:
    """Return the multiplications and additions in convolutions and dense layers for one image.

    Two for each weight and each output pixel that it is used for (a multiply-add counts as two
    operations, as in the rates that makers of processors give).
    """
    return 2 * sum(_uses(layer) for layer in flat(layer_shapes(model, image_shape, classes)))


def _uses(layer: Layer) -> int:
    """Return how often a layer's weights, without biases, are used for one image."""
    block, channels, pixels = layer.block, layer.before[-1], prod(layer.shape[:-1])
    match block:
        case DepthwiseConv():
            return pixels * (layer.parameters - channels)
        case SeparableConv():
            return pixels * (layer.parameters - block.filters)
        case Conv() | Dense() | Residual() if layer.parameters:
            return pixels * (layer.parameters - layer.shape[-1])
        case SqueezeExcite():
            return layer.parameters - channels - layer.squeezed
    return 0


def _row(layer: Layer, data_format: DataFormat) -> SummaryRow:
    kind, shape_formula, parameters_formula = _described(layer)
    shape = layer.shape
    if data_format == "channels_first" and len(shape) > 1:
        shape = (shape[-1], *shape[:-1])
    moving = _MOVING * layer.before[-1] if isinstance(layer.block, BatchNorm) else 0
    return SummaryRow(
        name=layer.name,
        kind=kind,
        shape=(None, *shape),
        shape_formula=shape_formula,
        parameters=layer.parameters,
        parameters_formula=parameters_formula,
        trainable=layer.parameters - moving,
    )


def _described(layer: Layer) -> tuple[str, str, str]:
    """Return class, formula of the shape and formula of the parameters."""
    block, before = layer.block, layer.before
    channels = before[-1]
    match block:
        case Conv() | DepthwiseConv() | SeparableConv():
            return _convolution(layer, block)
        case Pool() | AveragePool():
            kind = "MaxPooling2D" if isinstance(block, Pool) else "AveragePooling2D"
            pixels = _by_axis(before, layer.shape, lambda n: f"floor({n} / {block.size})")
            return f"{kind} {block.size}x{block.size}", pixels, ""
        case GlobalPool():
            return f"Global{block.of.capitalize()}Pooling2D", f"{channels} channels", ""
        case BatchNorm():
            return "BatchNormalization", "", f"4 x {channels}"
        case LayerNorm():
            return "LayerNormalization", "", f"2 x {channels}"
        case GroupNorm():
            return f"GroupNormalization {block.groups}", "", f"2 x {channels}"
        case Act():
            return f"Activation {block.activation}", "", ""
        case Dropout():
            return f"Dropout {block.rate:g}", "", ""
        case Flatten():
            product = " x ".join(str(length) for length in before)
            return "Flatten", f"{product} = {layer.shape[0]}", ""
        case SqueezeExcite():
            units = layer.squeezed
            formula = f"({channels} + 1) x {units} + ({units} + 1) x {channels}"
            return f"squeeze and excite, {units} units", "", formula
        case Residual():
            formula = f"({channels} + 1) x {layer.shape[-1]}" if layer.projected else ""
            shortcut = "1x1 convolution" if layer.projected else "identity"
            return f"Add, {block.activation}; shortcut: {shortcut}", "", formula
        case Dense():
            activation = "softmax" if layer.name == "output" else block.activation
            kind = f"Dense {block.units}, {activation}"
            return kind, "", f"({channels} + 1) x {block.units}"


def _convolution(layer: Layer, block: Convolution) -> tuple[str, str, str]:
    size, channels = block.kernel_size, layer.before[-1]
    dilation = block.dilation if isinstance(block, Conv) else 1
    spread = f", dilation {dilation}" if dilation > 1 else ""
    stride = f", stride {block.strides}" if block.strides > 1 else ""
    rest = f"{size}x{size}{stride}{spread}, {block.activation}"

    def length(n: int) -> str:
        if block.padding == "same":
            return f"ceil({n} / {block.strides})"
        reach = f"{n} - {size} + 1" if dilation == 1 else f"{n} - {dilation} x ({size} - 1)"
        return reach if block.strides == 1 else f"ceil(({reach}) / {block.strides})"

    same = block.padding == "same" and block.strides == 1
    pixels = "same padding" if same else _by_axis(layer.before, layer.shape, length)
    match block:
        case Conv():
            formula = f"({size} x {size} x {channels} + 1) x {block.filters}"
            return f"Conv2D {block.filters} of {rest}", pixels, formula
        case DepthwiseConv():
            return f"DepthwiseConv2D {rest}", pixels, f"({size} x {size} + 1) x {channels}"
        case SeparableConv():
            formula = f"{size} x {size} x {channels} + ({channels} + 1) x {block.filters}"
            return f"SeparableConv2D {block.filters} of {rest}", pixels, formula


def _by_axis(before: Sequence[int], after: Sequence[int], formula: Callable[[int], str]) -> str:
    """Return the formula of the height, and of the width where that is another."""
    pairs = dict.fromkeys(zip(before[:2], after[:2], strict=True))
    return ", ".join(f"{formula(old)} = {new}" for old, new in pairs)
