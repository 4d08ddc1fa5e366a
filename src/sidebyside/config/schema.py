"""The schema of a run's config: types and ranges of everything that can be chosen."""

from dataclasses import asdict, field
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from typing_extensions import TypedDict

from sidebyside.config.protocols import Protocol
from sidebyside.paths import NAME

_CLOSED = ConfigDict(extra="forbid", strict=True)

Name = Annotated[str, Field(pattern=NAME)]
Positive = Annotated[int, Field(ge=1)]
DataFormat = Literal["channels_last", "channels_first"]
Activation = Literal["relu", "elu", "gelu", "selu", "sigmoid", "silu", "tanh", "linear"]
DATA_FORMATS: tuple[DataFormat, ...] = ("channels_last", "channels_first")


@dataclass(frozen=True, config=_CLOSED)
class Conv:
    """A convolution with stride 1; ``kernel_size`` null takes the model's."""

    type: Literal["conv"]
    filters: Positive
    kernel_size: Positive | None = None
    padding: Literal["valid", "same"] = "valid"
    activation: Activation = "relu"


@dataclass(frozen=True, config=_CLOSED)
class Pool:
    """Max pooling over windows of ``size`` x ``size`` that don't overlap."""

    type: Literal["pool"]
    size: Positive = 2


@dataclass(frozen=True, config=_CLOSED)
class Dropout:
    """Dropout of a fraction ``rate`` of the inputs, left out when the model's switch is off."""

    type: Literal["dropout"]
    rate: Annotated[float, Field(ge=0, lt=1)]


@dataclass(frozen=True, config=_CLOSED)
class BatchNorm:
    """Batch normalisation over the channels, whichever axis they are."""

    type: Literal["batch_norm"]


@dataclass(frozen=True, config=_CLOSED)
class Flatten:
    """An image to a vector, in the same order for both data formats."""

    type: Literal["flatten"]


@dataclass(frozen=True, config=_CLOSED)
class Dense:
    """A fully connected layer."""

    type: Literal["dense"]
    units: Positive
    activation: Activation = "relu"


AnyBlock = Conv | Pool | Dropout | BatchNorm | Flatten | Dense
Block = Annotated[AnyBlock, Field(discriminator="type")]


@dataclass(frozen=True, config=_CLOSED)
class Model:
    """A sequential network; the output layer is added to the blocks."""

    name: Name
    blocks: list[Block]
    kernel_size: Positive | None = None
    dropout: bool | None = None
    kernel_initializer: Name = "glorot_uniform"


@dataclass(frozen=True, config=_CLOSED)
class File:
    """A file of a dataset, as it is when decompressed; the size is in bytes."""

    name: Name
    bytes: Positive
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


@dataclass(frozen=True, config=_CLOSED)
class Files:
    """The four IDX files of a dataset."""

    train_images: File
    train_labels: File
    test_images: File
    test_labels: File


@dataclass(frozen=True, config=_CLOSED)
class Dataset:
    """A dataset in IDX format and where to get it.

    ``disputed`` are test images, by index, whose labels human raters dispute.
    """

    name: Name
    image_shape: Annotated[list[Positive], Field(min_length=2, max_length=2)]
    classes: Annotated[int, Field(ge=2, le=256)]
    files: Files
    sources: list[str]
    disputed: list[Annotated[int, Field(ge=0)]] = field(default_factory=list)

    @property
    def training_images(self) -> int:
        """The number of training images: a label file is one byte each after an 8 byte header."""
        return self.files.train_labels.bytes - 8


@dataclass(frozen=True, config=_CLOSED)
class Training:
    """How long and in which portions a network is trained.

    With ``complete_evidence`` a study trains only what its committed evidence doesn't hold.
    """

    epochs: Positive
    seeds: Positive
    batch_size: Positive
    threads: Positive = 1
    complete_evidence: bool = False


@dataclass(frozen=True, config=_CLOSED)
class Tracking:
    """The MLflow store; ``uri`` null is SQLite at home."""

    uri: str | None
    experiment: Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, config=_CLOSED)
class Study:
    """What a study is called and what it asks.

    ``expected_equal`` are factors that should make no difference, and ``margin`` is the largest
    one that wouldn't matter, in points, set before the study is run. ``baseline`` is the variant
    that others are held against; null takes the one with the lowest validation error. With
    ``target_halfwidth`` (points), seeds are added to each variant whose 95 % interval of the test
    error is wider, up to ``max_seeds``.
    """

    name: Name
    expected_equal: list[str] = field(default_factory=list)
    margin: Annotated[float, Field(gt=0)] = 0.1
    baseline: str | None = None
    target_halfwidth: Annotated[float, Field(gt=0)] | None = None
    max_seeds: Positive = 20

    def stopping(self) -> dict[str, Any] | None:
        """Return the rule by which seeds are added, as JSON types; None where there is none."""
        if self.target_halfwidth is None:
            return None
        return {"target_halfwidth": self.target_halfwidth, "max_seeds": self.max_seeds}


@dataclass(frozen=True, config=_CLOSED)
class Preset:
    """A recipe as a published tutorial gives it, by its name in the published table."""

    name: Name


@dataclass(frozen=True, config=_CLOSED)
class Launch:
    """The multirun that a run belongs to, set by the sweeper.

    ``parent`` is the id of the MLflow run above this one, ``key`` the run key as the launch knows
    it, ``variant`` and ``factors`` are what the study calls the run.
    """

    id: Name
    parent: str
    key: str
    variant: str
    factors: dict[str, bool | int | float | str | None]


class Optimizer(TypedDict):
    """A Keras optimizer; what isn't named here goes to its constructor as it is."""

    __pydantic_config__ = ConfigDict(extra="allow", strict=True)  # type: ignore[misc]

    name: Name
    _target_: Annotated[str, Field(pattern=r"^keras\.optimizers\.[A-Z]\w*$")]
    learning_rate: Annotated[float, Field(gt=0)]


class Launcher(TypedDict, total=False):
    """The local launcher's settings; other launchers have their own."""

    __pydantic_config__ = ConfigDict(extra="allow", strict=True)  # type: ignore[misc]

    workers: Positive | None
    time_limit: Annotated[float, Field(gt=0)] | None
    memory_limit: Positive | None


@dataclass(frozen=True, config=_CLOSED)
class Config:
    """Everything that can be chosen for a run."""

    dataset: Dataset
    model: Model
    optimizer: Optimizer
    training: Training
    tracking: Tracking
    data_format: DataFormat
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    protocol: Protocol
    evaluate: bool
    allow_partial: bool
    preset: Preset | None
    study: Study | None
    launch: Launch | None
    select: dict[str, str] | None = None

    def recipe(self) -> dict[str, Any]:
        """Return the part of the config that decides a run's result, as JSON types."""
        return {
            "dataset": self.dataset.name,
            "model": asdict(self.model),
            "optimizer": dict(self.optimizer),
            "data_format": self.data_format,
            "seed": self.seed,
            "protocol": self.protocol,
            "epochs": self.training.epochs,
            "batch_size": self.training.batch_size,
            "threads": self.training.threads,
        }
