"""What a network is trained or tried on, as plain arrays."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Subset:
    """Some of a dataset's images.

    Attributes
    ----------
    images : ndarray of float32, shape (N, height, width, 1) or (N, 1, height, width)
        Pixels of 8 bits, scaled to [0, 1].
    labels : ndarray of float32, shape (N, classes)
        One-hot.
    indices : ndarray of int, shape (n,)
        Which of them.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.float32]
    indices: NDArray[Any]
