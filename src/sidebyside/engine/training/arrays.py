"""What a network is trained or tried on, as plain arrays."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

VALUES = 256  # of a pixel of 8 bits


@dataclass(frozen=True)
class Subset:
    """Some of a dataset's images.

    Attributes
    ----------
    images : ndarray of float32, shape (N, height, width, channels) or (N, channels, height, width)
        Pixels of 8 bits, as ``levels`` gives them.
    labels : ndarray of float32, shape (N, classes)
        One-hot.
    indices : ndarray of int, shape (n,)
        Which of them.
    levels : ndarray of float32, shape (channels, 256)
        What the values of a pixel became, by channel; ascending, at equal distances.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.float32]
    indices: NDArray[Any]
    levels: NDArray[np.float32]


def pixels_of(
    images: NDArray[np.float32], levels: NDArray[np.float32], channel_axis: int
) -> NDArray[np.uint8]:
    """Return the pixels that images were made from, see `Subset`.

    Raises
    ------
    ValueError
        If these levels didn't give these images.
    """
    shape = [1] * images.ndim
    shape[channel_axis] = len(levels)
    lowest, range_ = levels[:, 0], levels[:, -1] - levels[:, 0]
    steps = np.float32(VALUES - 1) / range_
    values = np.rint((images - lowest.reshape(shape)) * steps.reshape(shape)).astype(np.int32)
    offsets = (VALUES * np.arange(len(levels), dtype=np.int32)).reshape(shape)
    fits = (values >= 0) & (values < VALUES)
    if not fits.all() or not np.array_equal(levels.ravel()[values + offsets], images):
        raise ValueError("images aren't pixels of 8 bits, each value at its level")
    return values.astype(np.uint8)
