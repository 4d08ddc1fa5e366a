"""The schema of a dataset: its files, where they come from and what they hold."""

from dataclasses import field
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from sidebyside.engine.blocks import CLOSED, Name, Positive
from sidebyside.engine.recipe import Normalisation

_IDX_HEADER = 8  # bytes of a file of labels


@dataclass(frozen=True, config=CLOSED)
class File:
    """A file of a dataset; the size is in bytes.

    As it is served, if its name has an ending; one of an IDX file's name without ending, which is
    served as ``<name>.gz``, is of the decompressed file.
    """

    name: Name
    bytes: Positive
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


ROLES: dict[str, tuple[str, ...]] = {  # the files that a dataset has in each format
    "idx": ("train_images", "train_labels", "test_images", "test_labels"),
    "npz": ("archive",),
    "cifar10": ("archive",),
    "cifar100": ("archive",),
}
Format = Literal["idx", "npz", "cifar10", "cifar100"]


@dataclass(frozen=True, config=CLOSED)
class Dataset:
    """A dataset and where to get it.

    Attributes
    ----------
    name : str
    image_shape : list of int
        [height, width], or [height, width, channels].
    classes : int
    files : dict of File
        By role: train_images, train_labels, test_images and test_labels, or archive.
    sources : list of str
        Folders, addresses, ``package:<name>`` or ``images:<folder>``, tried in order.
    format : "idx", "npz", "cifar10" or "cifar100"
    training_images : int or None
        How many there are; None where the size of the file of labels says it.
    normalisation : "scale" or "standardise"
        To [0, 1], or each channel to mean 0 and sd 1 over the training images.
    class_names : list of str
        What the labels are called, in their order; empty where they are numbers.
    disputed : list of int
        Test images, by index, whose labels human raters dispute.
    test_fraction : float
        Of ``images:``, of which share of each class's images the test set is made.
    """

    name: Name
    image_shape: Annotated[list[Positive], Field(min_length=2, max_length=3)]
    classes: Annotated[int, Field(ge=2, le=256)]
    files: dict[str, File]
    sources: list[str]
    format: Format = "idx"
    training_images: Positive | None = None
    normalisation: Normalisation = "scale"
    class_names: list[str] = field(default_factory=list)
    disputed: list[Annotated[int, Field(ge=0)]] = field(default_factory=list)
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2

    def __post_init__(self) -> None:
        """Take the number of training images from their labels, a byte each behind the header."""
        if self.training_images is None and "train_labels" in self.files:
            labels = self.files["train_labels"]
            if not labels.name.endswith(".gz"):
                object.__setattr__(self, "training_images", labels.bytes - _IDX_HEADER)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        height, width, *channels = self.image_shape
        return height, width, channels[0] if channels else 1

    @property
    def size(self) -> int:
        """The number of training images, which `sidebyside.config.validate.check` asks for."""
        assert self.training_images is not None
        return self.training_images
