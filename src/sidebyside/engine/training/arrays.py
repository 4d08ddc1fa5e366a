"""What a network is trained on, as plain arrays."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Validation:
    """What a network is tried on after each epoch.

    Attributes
    ----------
    images : ndarray of float32, shape (N, height, width, 1) or (N, 1, height, width)
    labels : ndarray of float32, shape (N, classes)
        One-hot.
    indices : ndarray of int, shape (n,)
        Which of them.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.float32]
    indices: NDArray[Any]


@dataclass(frozen=True)
class TrainingArrays:
    """What a network is trained on.

    Attributes
    ----------
    images : ndarray of float32, shape (N, height, width, 1) or (N, 1, height, width)
    labels : ndarray of float32, shape (N, classes)
        One-hot.
    indices : ndarray of int, shape (n,)
        The images to train on.
    validation : Validation or None
        None where the protocol holds nothing out.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.float32]
    indices: NDArray[Any]
    validation: Validation | None
