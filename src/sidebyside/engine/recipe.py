"""The recipe of a run: the part of its config that decides the result."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass
from typing_extensions import TypedDict

from sidebyside.paths import NAME

CLOSED = ConfigDict(extra="forbid", strict=True)

Name = Annotated[str, Field(pattern=NAME)]
Positive = Annotated[int, Field(ge=1)]
DataFormat = Literal["channels_last", "channels_first"]
Precision = Literal["float32", "mixed_bfloat16"]
Activation = Literal["relu", "elu", "gelu", "selu", "sigmoid", "silu", "tanh", "linear"]
DATA_FORMATS: tuple[DataFormat, ...] = ("channels_last", "channels_first")


@dataclass(frozen=True, config=CLOSED)
class Conv:
    """A convolution with stride 1; ``kernel_size`` null takes the model's."""

    type: Literal["conv"]
    filters: Positive
    kernel_size: Positive | None = None
    padding: Literal["valid", "same"] = "valid"
    activation: Activation = "relu"


@dataclass(frozen=True, config=CLOSED)
class Pool:
    """Max pooling over windows of ``size`` x ``size`` that don't overlap."""

    type: Literal["pool"]
    size: Positive = 2


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
class Flatten:
    """An image to a vector, in the same order for both data formats."""

    type: Literal["flatten"]


@dataclass(frozen=True, config=CLOSED)
class Dense:
    """A fully connected layer."""

    type: Literal["dense"]
    units: Positive
    activation: Activation = "relu"


AnyBlock = Conv | Pool | Dropout | BatchNorm | Flatten | Dense
Block = Annotated[AnyBlock, Field(discriminator="type")]


@dataclass(frozen=True, config=CLOSED)
class Model:
    """A sequential network; the output layer is added to the blocks."""

    name: Name
    blocks: list[Block]
    kernel_size: Positive | None = None
    dropout: bool | None = None
    kernel_initializer: Name = "glorot_uniform"


class Optimizer(TypedDict):
    """A Keras optimizer; what isn't named here goes to its constructor as it is."""

    __pydantic_config__ = ConfigDict(extra="allow", strict=True)  # type: ignore[misc]

    name: Name
    _target_: Annotated[str, Field(pattern=r"^keras\.optimizers\.[A-Z]\w*$")]
    learning_rate: Annotated[float, Field(gt=0)]


@dataclass(frozen=True, config=CLOSED)
class Recipe:
    """What decides a run's result besides data, code and numeric environment.

    Attributes
    ----------
    dataset : str
    model : Model
    optimizer : Optimizer
    data_format : "channels_last" or "channels_first"
    seed : int
        Of the weights, of dropout and of the order of the images.
    protocol : str
        Who sees which images; the arrays of a run say what that comes to.
    epochs, batch_size : int
    threads : int
        Of TensorFlow's operations; another number gives other bits.
    precision : "float32" or "mixed_bfloat16"
        Of products and activations; weights and sums of losses are float32.
    """

    dataset: Name
    model: Model
    optimizer: Optimizer
    data_format: DataFormat
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    protocol: Name
    epochs: Positive
    batch_size: Positive
    threads: Positive
    precision: Precision = "float32"

    def as_json(self) -> dict[str, Any]:
        """Return the recipe as JSON types."""
        return asdict(self)

    def architecture(self) -> str:
        """Return what runs that differ in seed, data or length have in common, as JSON."""
        return json.dumps([asdict(self.model), self.optimizer, self.data_format, self.precision])


@dataclasses.dataclass(frozen=True)
class Network:
    """The network of a recipe for images of some shape; equal where one graph serves both.

    Attributes
    ----------
    recipe : Recipe
    image_shape : tuple of int
        (height, width) in pixels.
    classes : int
    """

    recipe: Recipe = dataclasses.field(compare=False)
    image_shape: tuple[int, int]
    classes: int
    architecture: str = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        """Take what decides the graph from the recipe."""
        object.__setattr__(self, "architecture", self.recipe.architecture())


_RECIPE = TypeAdapter(Recipe)


def read_recipe(content: Mapping[str, Any]) -> Recipe:
    """Return the recipe that `Recipe.as_json` wrote.

    Raises
    ------
    pydantic.ValidationError
        If it isn't one that can be trained.
    """
    return _RECIPE.validate_json(json.dumps(content))  # strict takes no dict
