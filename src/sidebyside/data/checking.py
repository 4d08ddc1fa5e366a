"""What is odd about a dataset: unbalanced classes, images that are there twice."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sidebyside.config.datasets import Dataset
from sidebyside.data.download import download
from sidebyside.data.prepare import read_raw


@dataclass(frozen=True)
class Checked:
    """What there is in a dataset.

    Attributes
    ----------
    shape : tuple of int
        (height, width, channels).
    counts : dict of list of int
        Images of each class, of "train" and of "test".
    leaked : list of int
        Test images, by index, that are among the training images too, pixel by pixel.
    repeated : int
        Training images that are there before, pixel by pixel.
    contradicted : int
        Images that are there with several labels.
    """

    shape: tuple[int, int, int]
    counts: dict[str, list[int]]
    leaked: list[int]
    repeated: int
    contradicted: int


def check_images(dataset: Dataset) -> Checked:
    """Look at all images and labels of a dataset, downloaded where they aren't there.

    Raises
    ------
    UserError
        If files can't be had, or don't fit the dataset's config.
    """
    download(dataset)
    raw = read_raw(dataset)
    train, test = (_contents(raw[f"{part}_images"]) for part in ("train", "test"))
    labels: dict[bytes, set[int]] = {}
    for part, contents in (("train", train), ("test", test)):
        for content, label in zip(contents, raw[f"{part}_labels"], strict=True):
            labels.setdefault(content, set()).add(int(label))
    known = set(train)
    return Checked(
        shape=dataset.shape,
        counts={
            part: np.bincount(raw[f"{part}_labels"], minlength=dataset.classes).tolist()
            for part in ("train", "test")
        },
        leaked=[at for at, content in enumerate(test) if content in known],
        repeated=len(train) - len(known),
        contradicted=sum(len(own) > 1 for own in labels.values()),
    )


def _contents(images: NDArray[np.uint8]) -> list[bytes]:
    return [image.tobytes() for image in images]
