"""The recipe of a run: the part of its config that decides the result."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass
from typing_extensions import TypedDict

from sidebyside.engine.blocks import CLOSED, AnyModel, Called, Name, Positive, content, later

DataFormat = Literal["channels_last", "channels_first"]
Precision = Literal["float32", "mixed_bfloat16"]
Order = Literal["each_epoch", "once"]
Keep = Literal["last", "best"]
Normalisation = Literal["scale", "standardise"]
DATA_FORMATS: tuple[DataFormat, ...] = ("channels_last", "channels_first")


class Optimizer(TypedDict):
    """A Keras optimizer; what isn't named here goes to its constructor as it is."""

    __pydantic_config__ = ConfigDict(extra="allow", strict=True)  # type: ignore[misc]

    name: Name
    _target_: Annotated[str, Field(pattern=r"^keras\.optimizers\.[A-Z]\w*$")]
    learning_rate: Annotated[float, Field(gt=0)]


@dataclass(frozen=True, config=CLOSED)
class Augmentation:
    """Keras layers that change training images at random, one after another.

    Each is its ``_target_``, a preprocessing layer of ``keras.layers``, and its arguments.
    """

    name: Name
    layers: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, config=CLOSED)
class Recipe:
    """What decides a run's result besides data, code and numeric environment.

    Attributes
    ----------
    dataset : str
    model : Model or Instance
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
    schedule : Instance or None
        The learning rate's course, see `sidebyside.engine.training.schedules`.
    augmentation : Augmentation or None
    label_smoothing : float
        The share of each target that is spread over all classes, in training and validation loss.
    ema : float or None
        The momentum of an exponential moving average of the weights, which takes their place when
        the network is tried and when training ends.
    class_weight : "balanced" or None
        Classes weighted by the inverse of their frequency.
    order : "each_epoch" or "once"
        How often the images are shuffled.
    patience : int or None
        After how many epochs without a lower validation loss training stops.
    keep : "last" or "best"
        Which weights: those of the last epoch, or of the one with the lowest validation loss.
    normalisation : "scale" or "standardise"
        What pixels became, see `sidebyside.config.datasets.Dataset`.
    """

    dataset: Name
    model: AnyModel
    optimizer: Optimizer
    data_format: DataFormat
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    protocol: Name
    epochs: Positive
    batch_size: Positive
    threads: Positive
    precision: Precision = "float32"
    schedule: Called | None = later(None)
    augmentation: Augmentation | None = later(None)
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = later(0)
    ema: Annotated[float, Field(gt=0, lt=1)] | None = later(None)
    class_weight: Literal["balanced"] | None = later(None)
    order: Order = later("each_epoch")
    patience: Positive | None = later(None)
    keep: Keep = later("last")
    normalisation: Normalisation = later("scale")

    def as_json(self) -> dict[str, Any]:
        """Return the recipe as JSON types."""
        written: dict[str, Any] = content(self)
        return written

    def architecture(self) -> str:
        """Return what runs of one dataset that go through one graph have in common, as JSON."""
        apart = {"dataset", "seed", "protocol", "order", "batch_size", "threads"}
        apart |= {"patience", "keep", "normalisation"}
        if self.schedule is None:
            apart.add("epochs")
        return json.dumps({key: own for key, own in self.as_json().items() if key not in apart})


@dataclasses.dataclass(frozen=True)
class Network:
    """The network of a recipe for images of some shape; equal where one graph serves both.

    Attributes
    ----------
    recipe : Recipe
    image_shape : tuple of int
        (height, width, channels).
    classes : int
    steps : int
        Batches of an epoch, for the learning rate's course; 0 where nothing is trained.
    """

    recipe: Recipe = dataclasses.field(compare=False)
    image_shape: tuple[int, int, int]
    classes: int
    steps: int = 0
    architecture: str = dataclasses.field(init=False)

    @property
    def channel_axis(self) -> int:
        """Which axis of an array of images the channels are, from 1 or from the end."""
        return 1 if self.recipe.data_format == "channels_first" else -1

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of an image in the recipe's data format."""
        height, width, channels = self.image_shape
        if self.recipe.data_format == "channels_first":
            return (channels, height, width)
        return self.image_shape

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
