"""How a dataset's training images are divided into training and validation."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

PROTOCOLS = ("clean",)

_CLEAN_PARTS = 6  # one of six is held out: MNIST's 60 000 become 50 000 and 10 000
_CLEAN_SEED = 0


def training_size(protocol: str, images: int) -> int:
    """Return how many of a dataset's training images ``protocol`` trains on."""
    _known(protocol)
    return images - images // _CLEAN_PARTS


def split(protocol: str, labels: NDArray[Any]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the indices to train on and to validate on.

    ``clean`` holds out one sixth of the training images, stratified by label, always the same.

    Parameters
    ----------
    protocol : str
        One of `PROTOCOLS`.
    labels : ndarray of int, shape (N,)
        The labels of the training images.

    Returns
    -------
    training, validation : ndarray of int32
        Ascending indices into the training images, disjoint.
    """
    from sklearn.model_selection import train_test_split  # slow to import; only preprocess splits

    _known(protocol)
    training, validation = train_test_split(
        np.arange(len(labels), dtype=np.int32),
        test_size=len(labels) // _CLEAN_PARTS,
        stratify=labels,
        random_state=_CLEAN_SEED,
    )
    return np.sort(training), np.sort(validation)


def _known(protocol: str) -> None:
    if protocol not in PROTOCOLS:
        raise ValueError(f"unknown protocol {protocol!r}, known: {', '.join(PROTOCOLS)}")
