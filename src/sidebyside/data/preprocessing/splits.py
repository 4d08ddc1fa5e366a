"""How each protocol divides the training images of a dataset."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidebyside.errors import UserError

_CLEAN_SEED = 0
_FEWEST = 2  # images of a class, one to train on and one to hold out


@dataclass(frozen=True)
class Division:
    """Ascending indices into the training images, int32 and disjoint.

    ``validation`` is None where a protocol validates on the test images or not at all.
    """

    training: NDArray[np.int32]
    validation: NDArray[np.int32] | None


def divide(protocol: str, labels: NDArray[Any], size: int) -> Division:
    """Return which of the training images ``protocol`` trains and validates on.

    ``clean`` holds out one sixth, stratified by label, always the same. The others are those of
    published tutorials: ``train60k`` trains on all images and validates on none;
    ``test_as_validation`` trains on all and validates on the test images; ``tf55k`` leaves out the
    first twelfth, which TensorFlow's old loader kept for itself, and validates on the test images;
    ``split20`` validates on the last fifth.

    Parameters
    ----------
    protocol : str
        One of `sidebyside.config.protocols.PROTOCOLS`.
    labels : ndarray of int, shape (N,)
        The labels of the training images.
    size : int
        How many of them it trains on, see `sidebyside.config.protocols.training_size`.

    Raises
    ------
    UserError
        If a class has too few images to hold some out.
    """
    everything = np.arange(len(labels), dtype=np.int32)
    match protocol:
        case "clean":
            return _stratified(everything, labels, size)
        case "tf55k":
            return Division(everything[-size:], None)
        case "split20":
            return Division(everything[:size], everything[size:])
        case _:
            return Division(everything, None)


def _stratified(everything: NDArray[np.int32], labels: NDArray[Any], size: int) -> Division:
    from sklearn.model_selection import train_test_split  # slow to import; only preprocess splits

    held_out, counts = len(labels) - size, np.unique(labels, return_counts=True)[1]
    if counts.min() < _FEWEST or held_out < len(counts):
        raise UserError(
            f"There are {', '.join(map(str, counts))} training images of the classes, too few to "
            f"hold {held_out} of them out with some of each class: add images."
        )
    training, validation = train_test_split(
        everything, test_size=held_out, stratify=labels, random_state=_CLEAN_SEED
    )
    return Division(np.sort(training), np.sort(validation))
