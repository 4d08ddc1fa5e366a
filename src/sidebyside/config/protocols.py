"""Who sees which images: how each protocol divides a dataset."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Protocol = Literal["clean", "train60k", "test_as_validation", "tf55k", "split20"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)

# These show the test images to whoever watches the training: their test figures flatter.
TEST_AS_VALIDATION: tuple[Protocol, ...] = ("test_as_validation", "tf55k")

_CLEAN_PARTS = 6  # one of six is held out: MNIST's 60 000 become 50 000 and 10 000
_CLEAN_SEED = 0
_TF_PARTS = 12  # the first of twelve isn't used: MNIST's 60 000 become 55 000
_SPLIT_PARTS = 5  # the last of five is held out


@dataclass(frozen=True)
class Division:
    """Ascending indices into the training images, int32 and disjoint.

    ``validation`` is None where a protocol validates on the test images or not at all.
    """

    training: NDArray[np.int32]
    validation: NDArray[np.int32] | None


def training_size(protocol: Protocol, images: int) -> int:
    """Return how many of a dataset's training images ``protocol`` trains on."""
    held_out = {"clean": _CLEAN_PARTS, "tf55k": _TF_PARTS, "split20": _SPLIT_PARTS}
    return images - images // held_out[protocol] if protocol in held_out else images


def divide(protocol: Protocol, labels: NDArray[Any]) -> Division:
    """Return which of the training images ``protocol`` trains and validates on.

    ``clean`` holds out one sixth, stratified by label, always the same. The others are those of
    published tutorials: ``train60k`` trains on all images and validates on none;
    ``test_as_validation`` trains on all and validates on the test images; ``tf55k`` leaves out the
    first twelfth, which TensorFlow's old loader kept for itself, and validates on the test images;
    ``split20`` validates on the last fifth.

    Parameters
    ----------
    protocol : str
        One of `PROTOCOLS`.
    labels : ndarray of int, shape (N,)
        The labels of the training images.
    """
    everything = np.arange(len(labels), dtype=np.int32)
    size = training_size(protocol, len(labels))
    match protocol:
        case "clean":
            return _stratified(everything, labels)
        case "tf55k":
            return Division(everything[-size:], None)
        case "split20":
            return Division(everything[:size], everything[size:])
        case _:
            return Division(everything, None)


def _stratified(everything: NDArray[np.int32], labels: NDArray[Any]) -> Division:
    from sklearn.model_selection import train_test_split  # slow to import; only preprocess splits

    training, validation = train_test_split(
        everything,
        test_size=len(labels) // _CLEAN_PARTS,
        stratify=labels,
        random_state=_CLEAN_SEED,
    )
    return Division(np.sort(training), np.sort(validation))
