"""What networks are made of: the blocks of a config, and models of one's own."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, field, fields, is_dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag
from pydantic.dataclasses import dataclass

from sidebyside.paths import NAME

CLOSED = ConfigDict(extra="forbid", strict=True)

Name = Annotated[str, Field(pattern=NAME)]
Positive = Annotated[int, Field(ge=1)]
Penalty = Annotated[float, Field(ge=0)]
Padding = Literal["valid", "same"]
Activation = Literal["relu", "elu", "gelu", "selu", "sigmoid", "silu", "tanh", "linear"]


def later(default: Any) -> Any:
    """Return a field that came later than others.

    At its default `content` doesn't name it, so that what was written before is still the same.
    """
    return field(default=default, metadata={"later": True})


def content(value: Any) -> Any:
    """Return dataclasses as JSON types."""
    if isinstance(value, Instance):
        return {"name": value.name, "_target_": value.target, **value.arguments}
    if is_dataclass(value):
        named = ((own, getattr(value, own.name)) for own in fields(value))
        return {
            own.name: content(given)
            for own, given in named
            if not own.metadata.get("later") or given != _default(own)
        }
    if isinstance(value, Mapping):
        return {key: content(own) for key, own in value.items()}
    return [content(own) for own in value] if isinstance(value, list | tuple) else value


def _default(own: Any) -> Any:
    given = own.default
    return given if given is not MISSING else own.default_factory()


@dataclass(frozen=True, config=CLOSED)
class Conv:
    """A convolution; ``kernel_size`` null takes the model's, ``kernel_initializer`` likewise.

    ``l2`` is the factor of the sum of squared weights that is added to the loss.
    """

    type: Literal["conv"]
    filters: Positive
    kernel_size: Positive | None = None
    padding: Padding = "valid"
    activation: Activation = "relu"
    strides: Positive = later(1)
    dilation: Positive = later(1)
    l2: Penalty = later(0)
    kernel_initializer: Name | None = later(None)


@dataclass(frozen=True, config=CLOSED)
class SeparableConv:
    """A convolution of each channel by itself, then one of 1x1 over all of them."""

    type: Literal["separable_conv"]
    filters: Positive
    kernel_size: Positive | None = None
    padding: Padding = "valid"
    activation: Activation = "relu"
    strides: Positive = 1
    l2: Penalty = 0
    kernel_initializer: Name | None = None


@dataclass(frozen=True, config=CLOSED)
class DepthwiseConv:
    """A convolution of each channel by itself."""

    type: Literal["depthwise_conv"]
    kernel_size: Positive | None = None
    padding: Padding = "valid"
    activation: Activation = "relu"
    strides: Positive = 1
    l2: Penalty = 0
    kernel_initializer: Name | None = None


@dataclass(frozen=True, config=CLOSED)
class Pool:
    """Max pooling over windows of ``size`` x ``size`` that don't overlap."""

    type: Literal["pool"]
    size: Positive = 2


@dataclass(frozen=True, config=CLOSED)
class AveragePool:
    """Average pooling over windows of ``size`` x ``size`` that don't overlap."""

    type: Literal["average_pool"]
    size: Positive = 2


@dataclass(frozen=True, config=CLOSED)
class GlobalPool:
    """An image to a vector: the average, or the maximum, of each channel."""

    type: Literal["global_pool"]
    of: Literal["average", "max"] = "average"


@dataclass(frozen=True, config=CLOSED)
class Dropout:
    """Dropout of a fraction ``rate`` of the inputs, left out when the model's switch is off."""

    type: Literal["dropout"]
    rate: Annotated[float, Field(ge=0, lt=1)]


@dataclass(frozen=True, config=CLOSED)
class BatchNorm:
    """Batch normalisation over the channels, whichever axis they are."""

    type: Literal["batch_norm"]


@dataclass(frozen=True, config=CLOSED)
class LayerNorm:
    """Layer normalisation over the channels of each pixel."""

    type: Literal["layer_norm"]


@dataclass(frozen=True, config=CLOSED)
class GroupNorm:
    """Group normalisation: over the pixels and the channels of each of the ``groups``."""

    type: Literal["group_norm"]
    groups: Positive


@dataclass(frozen=True, config=CLOSED)
class Act:
    """An activation by itself, behind a normalisation for instance."""

    type: Literal["activation"]
    activation: Activation = "relu"


@dataclass(frozen=True, config=CLOSED)
class Flatten:
    """An image to a vector, in the same order for both data formats."""

    type: Literal["flatten"]


@dataclass(frozen=True, config=CLOSED)
class Dense:
    """A fully connected layer."""

    type: Literal["dense"]
    units: Positive
    activation: Activation = "relu"
    l2: Penalty = later(0)
    kernel_initializer: Name | None = later(None)


@dataclass(frozen=True, config=CLOSED)
class SqueezeExcite:
    """Channels weighted by what the whole image says (Hu et al. 2018, arXiv:1709.01507)."""

    type: Literal["squeeze_excite"]
    ratio: Positive = 16


@dataclass(frozen=True, config=CLOSED)
class Residual:
    """Blocks with a shortcut around them (He et al. 2016, arXiv:1512.03385).

    The shortcut is the input itself, or a convolution of 1x1 where shapes differ.
    """

    type: Literal["residual"]
    blocks: "list[Block]"
    activation: Activation = "relu"


Convolution = Conv | SeparableConv | DepthwiseConv
AnyBlock = (
    Convolution
    | Pool
    | AveragePool
    | GlobalPool
    | Dropout
    | BatchNorm
    | LayerNorm
    | GroupNorm
    | Act
    | Flatten
    | Dense
    | SqueezeExcite
    | Residual
)
Block = Annotated[AnyBlock, Field(discriminator="type")]


def with_inner(blocks: Sequence[AnyBlock]) -> Iterator[AnyBlock]:
    """Yield blocks and those within them."""
    for block in blocks:
        yield block
        if isinstance(block, Residual):
            yield from with_inner(block.blocks)


@dataclass(frozen=True, config=CLOSED)
class Model:
    """A network of blocks; the output layer is added to them."""

    name: Name
    blocks: list[Block]
    kernel_size: Positive | None = None
    dropout: bool | None = None
    kernel_initializer: Name = "glorot_uniform"


@dataclass(frozen=True, config=CLOSED)
class Instance:
    """Something that a config names by its import path, with the arguments to call it with.

    In a config all stand side by side: ``{name: .., _target_: package.thing, argument: ..}``.
    """

    name: Name
    target: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$")]
    arguments: dict[str, Any]


def _gathered(value: Any) -> Any:
    """Return what stands side by side in a config as the fields of an `Instance`."""
    if not isinstance(value, Mapping) or "_target_" not in value:
        return value
    rest = {key: own for key, own in value.items() if key not in ("name", "_target_")}
    return {"name": value.get("name"), "target": value["_target_"], "arguments": rest}


Called = Annotated[Instance, BeforeValidator(_gathered)]


TAGS = ("plain", "called")  # what `kind` tells apart


def kind(value: Any) -> str:
    """Return whether a config names something by its import path."""
    called = isinstance(value, Instance) or (isinstance(value, Mapping) and "_target_" in value)
    return "called" if called else "plain"


AnyModel = Annotated[
    Annotated[Model, Tag("plain")] | Annotated[Called, Tag("called")], Discriminator(kind)
]
