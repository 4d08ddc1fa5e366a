"""Names, output shapes and parameter counts of a network's layers, without TensorFlow."""

from dataclasses import dataclass, replace
from math import prod

from sidebyside.engine.recipe import AnyBlock, BatchNorm, Conv, Dense, Dropout, Flatten, Model, Pool
from sidebyside.errors import UserError


@dataclass(frozen=True)
class Layer:
    """One layer of a network.

    Attributes
    ----------
    name : str
        Its name in Keras, in summaries and in messages.
    block : Conv, Pool, Dropout, BatchNorm, Flatten or Dense
        What it was made from, with the kernel size filled in.
    shape : tuple of int
        Output for one image: (height, width, channels), or (units,) once flattened.
    parameters : int
        Trainable and moving ones together.
    """

    name: str
    block: AnyBlock
    shape: tuple[int, ...]
    parameters: int


def layer_shapes(model: Model, image_shape: tuple[int, int], classes: int) -> list[Layer]:
    """Return the layers of ``model`` on one-channel images, output layer included.

    Output sizes: n - k + 1 for a valid convolution with kernel k, n for a same one, floor(n / s)
    for a pool of size s (Dumoulin & Visin 2016, arXiv:1603.07285, relationships 1 and 15).

    Parameters
    ----------
    model : Model
    image_shape : tuple of int
        (height, width) in pixels.
    classes : int
        Units of the output layer.

    Raises
    ------
    UserError
        If a kernel or pool is larger than what reaches it, or blocks are in an impossible order.
    """
    shape: tuple[int, ...] = (*image_shape, 1)
    layers: list[Layer] = []
    counts: dict[str, int] = {}
    for block in _active_blocks(model):
        counts[block.type] = counts.get(block.type, 0) + 1
        name = f"{block.type}_{counts[block.type]}"
        before, shape = shape, _output_shape(model, name, block, shape)
        layers.append(Layer(name, block, shape, _parameters(block, before)))
    if len(shape) > 1:
        raise UserError(
            f"model={model.name} ends with an image of shape {shape}: add a block "
            "{type: flatten} behind the last conv or pool block."
        )
    output = Dense(type="dense", units=classes, activation="linear")
    return [*layers, Layer("output", output, (classes,), _parameters(output, shape))]


def _active_blocks(model: Model) -> list[AnyBlock]:
    """Return the blocks with the switch for dropout and the model's kernel size applied."""
    blocks: list[AnyBlock] = []
    for block in model.blocks:
        if isinstance(block, Dropout) and not model.dropout:
            continue
        if isinstance(block, Conv) and block.kernel_size is None:
            blocks.append(replace(block, kernel_size=model.kernel_size))
        else:
            blocks.append(block)
    return blocks


def _output_shape(
    model: Model,
    name: str,
    block: AnyBlock,
    shape: tuple[int, ...],
) -> tuple[int, ...]:
    if isinstance(block, Dropout | BatchNorm):
        return shape
    if isinstance(block, Flatten):
        return (prod(shape),)
    if isinstance(block, Dense):
        if len(shape) > 1:
            raise UserError(
                f"model={model.name}: layer {name} needs a vector but gets an image of shape "
                f"{shape}: add a block {{type: flatten}} before it."
            )
        return (block.units,)
    if len(shape) == 1:
        raise UserError(
            f"model={model.name}: layer {name} needs an image but gets a vector of {shape[0]}: "
            "move it before the flatten block."
        )
    return _pixels(model, name, block, (shape[0], shape[1], shape[2]))


def _pixels(
    model: Model, name: str, block: Conv | Pool, shape: tuple[int, int, int]
) -> tuple[int, ...]:
    height, width, channels = shape
    if isinstance(block, Pool):
        size, height, width = block.size, height // block.size, width // block.size
    else:
        assert block.kernel_size is not None
        size, channels = block.kernel_size, block.filters
        if block.padding == "valid":
            height, width = height - size + 1, width - size + 1
    if min(height, width) < 1:
        raise UserError(
            f"model={model.name}: layer {name} ({size}x{size}) leaves no pixels of its input of "
            f"shape {shape} (height, width, channels): choose a smaller size or fewer layers."
        )
    return (height, width, channels)


def _parameters(block: AnyBlock, before: tuple[int, ...]) -> int:
    """Return weights and biases: inputs per output times outputs, plus one bias per output."""
    channels = before[-1]
    if isinstance(block, Conv):
        assert block.kernel_size is not None
        return (block.kernel_size**2 * channels + 1) * block.filters
    if isinstance(block, Dense):
        return (channels + 1) * block.units
    return 4 * channels if isinstance(block, BatchNorm) else 0
