"""What is odd about a dataset: unbalanced classes, images that are there twice."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidebyside.config.datasets import Dataset
from sidebyside.data.download import download
from sidebyside.data.prepare import read_raw
from sidebyside.storage import journal

_NEAR = 0.03
_WHITE = 255


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
    near : list of (int, int)
        Other test images whose pixels differ from those of a training image by less than
        `_NEAR` of black to white, in the root of the mean square: the two indices.
    repeated : int
        Training images that are there before, pixel by pixel.
    contradicted : int
        Images that are there with several labels.
    """

    shape: tuple[int, int, int]
    counts: dict[str, list[int]]
    leaked: list[int]
    near: list[tuple[int, int]]
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
    with journal.looking("data check", []):
        journal.record_look(dataset.name)
    train, test = (_contents(raw[f"{part}_images"]) for part in ("train", "test"))
    labels: dict[bytes, set[int]] = {}
    for part, contents in (("train", train), ("test", test)):
        for content, label in zip(contents, raw[f"{part}_labels"], strict=True):
            labels.setdefault(content, set()).add(int(label))
    known, found = set(train), leaked(raw["train_images"], raw["test_images"])
    return Checked(
        shape=dataset.shape,
        counts={
            part: np.bincount(raw[f"{part}_labels"], minlength=dataset.classes).tolist()
            for part in ("train", "test")
        },
        leaked=found,
        near=_near(raw["train_images"], raw["test_images"], set(found)),
        repeated=len(train) - len(known),
        contradicted=sum(len(own) > 1 for own in labels.values()),
    )


def leaked(training: NDArray[Any], test: NDArray[Any]) -> list[int]:
    """Return the test images, by index, that are among the training images too, exactly.

    Parameters
    ----------
    training, test : ndarray, shape (images, ...)
    """
    known = set(_contents(training))
    return [at for at, content in enumerate(_contents(test)) if content in known]


def _near(
    training: NDArray[np.uint8], test: NDArray[np.uint8], leaked: set[int]
) -> list[tuple[int, int]]:
    from sklearn.metrics import pairwise_distances_argmin_min

    flat = [images.reshape(len(images), -1).astype(np.float32) for images in (test, training)]
    # Of each test image the training image that is nearest, some thousand at a time.
    nearest, distances = pairwise_distances_argmin_min(*flat)
    most = _NEAR * _WHITE * np.sqrt(flat[0].shape[1])
    found = map(int, np.flatnonzero(distances < most))
    return [(at, int(nearest[at])) for at in found if at not in leaked]


def _contents(images: NDArray[Any]) -> list[bytes]:
    return [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images]
