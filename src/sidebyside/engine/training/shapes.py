"""Names, output shapes and parameter counts of a network's layers, without TensorFlow."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil, prod

from sidebyside.engine.blocks import (
    AnyBlock,
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
from sidebyside.errors import UserError

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """One layer of a network.

    Attributes
    ----------
    name : str
        Its name in Keras, in summaries and in messages.
    block : AnyBlock
        What it was made from, with the kernel size and the initializer filled in.
    before, shape : tuple of int
        Input and output for one image: (height, width, channels), or (units,) once flattened.
    parameters : int
        Trainable and moving ones together, without those of the layers within.
    inner : list of Layer
        Of a residual block.
    """

    name: str
    block: AnyBlock
    before: Shape
    shape: Shape
    parameters: int
    inner: "list[Layer]"

    @property
    def projected(self) -> bool:
        """Whether a residual block's shortcut needs weights, as shapes differ."""
        return isinstance(self.block, Residual) and self.before != self.shape

    @property
    def squeezed(self) -> int:
        """The units that a squeeze-excite block's channels go through."""
        assert isinstance(self.block, SqueezeExcite)
        return max(1, self.before[-1] // self.block.ratio)


def layer_shapes(model: Model, image_shape: Shape, classes: int) -> list[Layer]:
    """Return the layers of ``model``, output layer included.

    Output sizes: floor((n - d (k - 1) - 1) / s) + 1 for a valid convolution with kernel k,
    dilation d and stride s, ceil(n / s) for a same one, floor(n / s) for a pool of size s
    (Dumoulin & Visin 2016, arXiv:1603.07285, relationships 6 and 15).

    Parameters
    ----------
    model : Model
    image_shape : tuple of int
        (height, width, channels).
    classes : int
        Units of the output layer.

    Raises
    ------
    UserError
        If a kernel or pool is larger than what reaches it, or blocks are in an impossible order.
    """
    layers = _chain(model, model.blocks, image_shape, "")
    shape = layers[-1].shape if layers else image_shape
    if len(shape) > 1:
        raise UserError(
            f"model={model.name} ends with an image of shape {shape}: add a block "
            "{type: flatten} or {type: global_pool} behind the last conv or pool block."
        )
    output = Dense("dense", classes, "linear", kernel_initializer=model.kernel_initializer)
    return [*layers, Layer("output", output, shape, (classes,), _parameters(output, shape), [])]


def flat(layers: Sequence[Layer]) -> Iterator[Layer]:
    """Yield layers and those within them, each residual block behind its own."""
    for layer in layers:
        yield from flat(layer.inner)
        yield layer


def _chain(model: Model, blocks: Sequence[AnyBlock], shape: Shape, above: str) -> list[Layer]:
    layers: list[Layer] = []
    counts: dict[str, int] = {}
    for block in _active(model, blocks):
        counts[block.type] = counts.get(block.type, 0) + 1
        name = f"{above}{block.type}_{counts[block.type]}"
        within = block.blocks if isinstance(block, Residual) else []
        inner = _chain(model, within, shape, f"{name}_")
        before, shape = shape, _output_shape(model, name, block, shape, inner)
        layers.append(Layer(name, block, before, shape, _parameters(block, before, shape), inner))
    return layers


def _active(model: Model, blocks: Sequence[AnyBlock]) -> list[AnyBlock]:
    """Return blocks with the switch for dropout, kernel size and initializer of the model."""
    active: list[AnyBlock] = []
    for block in blocks:
        if isinstance(block, Dropout) and not model.dropout:
            continue
        active.append(_filled(model, block))
    return active


def _filled(model: Model, block: AnyBlock) -> AnyBlock:
    if isinstance(block, Convolution) and block.kernel_size is None:
        return _filled(model, replace(block, kernel_size=model.kernel_size))
    if isinstance(block, Convolution | Dense) and block.kernel_initializer is None:
        return replace(block, kernel_initializer=model.kernel_initializer)
    return block


def _output_shape(
    model: Model, name: str, block: AnyBlock, shape: Shape, inner: Sequence[Layer]
) -> Shape:
    if isinstance(block, Flatten):
        return (prod(shape),)
    if isinstance(block, Dense):
        if len(shape) > 1:
            raise UserError(
                f"model={model.name}: layer {name} needs a vector but gets an image of shape "
                f"{shape}: add a block {{type: flatten}} before it."
            )
        return (block.units,)
    if isinstance(block, Residual):
        return _around(model, name, shape, inner)
    if isinstance(block, Convolution | Pool | AveragePool | GlobalPool | SqueezeExcite):
        if len(shape) == 1:
            raise UserError(
                f"model={model.name}: layer {name} needs an image but gets a vector of "
                f"{shape[0]}: move it before the flatten block."
            )
        return _of_image(model, name, block, shape)
    if isinstance(block, GroupNorm) and shape[-1] % block.groups:
        raise UserError(
            f"model={model.name}: layer {name} can't divide {shape[-1]} channels into groups: "
            f"choose a divisor of {shape[-1]} for groups={block.groups}."
        )
    return shape


def _around(model: Model, name: str, shape: Shape, inner: Sequence[Layer]) -> Shape:
    after = inner[-1].shape if inner else shape
    scales = {ceil(n / m) for n, m in zip(shape[:-1], after[:-1], strict=False)}
    fits = all(ceil(n / s) == m for s in scales for n, m in zip(shape, after[:-1], strict=False))
    if len(after) != len(shape) or len(scales) > 1 or not fits:
        raise UserError(
            f"model={model.name}: layer {name} makes {after} of {shape}, to which no shortcut "
            "leads: let its blocks keep the pixels (padding: same) or divide both sides alike."
        )
    return after


def _of_image(
    model: Model,
    name: str,
    block: Convolution | Pool | AveragePool | GlobalPool | SqueezeExcite,
    shape: Shape,
) -> Shape:
    height, width, channels = shape
    if isinstance(block, GlobalPool):
        return (channels,)
    if isinstance(block, SqueezeExcite):
        return shape
    if isinstance(block, Pool | AveragePool):
        size = block.size
        sides: tuple[int, ...] = (height // size, width // size)
    else:
        assert block.kernel_size is not None
        size = block.kernel_size
        sides = _convolved(model, name, block, (height, width))
        channels = channels if isinstance(block, DepthwiseConv) else block.filters
    if min(sides) < 1:
        raise UserError(
            f"model={model.name}: layer {name} ({size}x{size}) leaves no pixels of its input of "
            f"shape {shape} (height, width, channels): choose a smaller size or fewer layers."
        )
    return (*sides, channels)


def _convolved(
    model: Model, name: str, block: Convolution, sides: tuple[int, int]
) -> tuple[int, ...]:
    assert block.kernel_size is not None
    dilation = block.dilation if isinstance(block, Conv) else 1
    if dilation > 1 and block.strides > 1:
        raise UserError(
            f"model={model.name}: layer {name} has strides and dilation, of which Keras computes "
            "one at a time: leave one of them at 1."
        )
    if block.padding == "same":
        return tuple(ceil(n / block.strides) for n in sides)
    reach = dilation * (block.kernel_size - 1)
    return tuple((n - reach - 1) // block.strides + 1 for n in sides)


def _parameters(block: AnyBlock, before: Shape, shape: Shape = ()) -> int:
    """Return weights and biases: inputs per output times outputs, plus one bias per output."""
    channels = before[-1]
    match block:
        case Conv():
            assert block.kernel_size is not None
            return (block.kernel_size**2 * channels + 1) * block.filters
        case DepthwiseConv():
            assert block.kernel_size is not None
            return (block.kernel_size**2 + 1) * channels
        case SeparableConv():
            assert block.kernel_size is not None
            return block.kernel_size**2 * channels + (channels + 1) * block.filters
        case Dense():
            return (channels + 1) * block.units
        case BatchNorm():
            return 4 * channels
        case LayerNorm() | GroupNorm():
            return 2 * channels
        case SqueezeExcite():
            squeezed = max(1, channels // block.ratio)
            return (channels + 1) * squeezed + (squeezed + 1) * channels
        case Residual() if before != shape:
            return (channels + 1) * shape[-1]
    return 0
