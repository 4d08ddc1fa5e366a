"""The summary of a network, each shape and parameter count with the formula it comes from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

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
    model: Model, image_shape: tuple[int, int], classes: int, data_format: DataFormat
) -> list[SummaryRow]:
    """Return the summary of a network, without building it.

    Formulas as in `sidebyside.engine.training.shapes`.
    """
    before: tuple[int, ...] = (*image_shape, 1)
    rows = []
    for layer in layer_shapes(model, image_shape, classes):
        rows.append(_row(layer, before, data_format))
        before = layer.shape
    return rows


def operations(model: Model, image_shape: tuple[int, int], classes: int) -> int:
    """Return the multiplications and additions in convolutions and dense layers for one image.

    Two for each weight and each output pixel that it is used for (a multiply-add counts as two
    operations, as in the rates that makers of processors give).
    """
    total = 0
    for layer in layer_shapes(model, image_shape, classes):
        if isinstance(layer.block, Conv | Dense):
            weights = layer.parameters - layer.shape[-1]  # without biases
            total += 2 * weights * prod(layer.shape[:-1])
    return total


def _row(layer: Layer, before: tuple[int, ...], data_format: DataFormat) -> SummaryRow:
    kind, shape_formula, parameters_formula = _described(layer, before)
    shape = layer.shape
    if data_format == "channels_first" and len(shape) > 1:
        shape = (shape[-1], *shape[:-1])
    moving = _MOVING * before[-1] if isinstance(layer.block, BatchNorm) else 0
    return SummaryRow(
        name=layer.name,
        kind=kind,
        shape=(None, *shape),
        shape_formula=shape_formula,
        parameters=layer.parameters,
        parameters_formula=parameters_formula,
        trainable=layer.parameters - moving,
    )


def _described(layer: Layer, before: tuple[int, ...]) -> tuple[str, str, str]:
    """Return class, formula of the shape and formula of the parameters."""
    block, channels = layer.block, before[-1]
    match block:
        case Conv():
            size = block.kernel_size
            pixels = (
                "same padding"
                if block.padding == "same"
                else _by_axis(before, layer.shape, lambda n: f"{n} - {size} + 1")
            )
            kind = f"Conv2D {block.filters} of {size}x{size}, {block.activation}"
            return kind, pixels, f"({size} x {size} x {channels} + 1) x {block.filters}"
        case Pool():
            pixels = _by_axis(before, layer.shape, lambda n: f"floor({n} / {block.size})")
            return f"MaxPooling2D {block.size}x{block.size}", pixels, ""
        case BatchNorm():
            return "BatchNormalization", "", f"4 x {channels}"
        case Dropout():
            return f"Dropout {block.rate:g}", "", ""
        case Flatten():
            product = " x ".join(str(length) for length in before)
            return "Flatten", f"{product} = {layer.shape[0]}", ""
        case Dense():
            activation = "softmax" if layer.name == "output" else block.activation
            kind = f"Dense {block.units}, {activation}"
            return kind, "", f"({channels} + 1) x {block.units}"


def _by_axis(before: Sequence[int], after: Sequence[int], formula: Callable[[int], str]) -> str:
    """Return the formula of the height, and of the width where that is another."""
    pairs = dict.fromkeys(zip(before[:2], after[:2], strict=True))
    return ", ".join(f"{formula(old)} = {new}" for old, new in pairs)
