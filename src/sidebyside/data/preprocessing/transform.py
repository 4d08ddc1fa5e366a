"""Raw images and labels to what a network reads: reshaped, normalised, one-hot."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidebyside.engine.recipe import DataFormat

_VALUES = 256  # of a pixel
_WHITE = np.float32(_VALUES - 1)  # the largest of them


def scale_levels(channels: int) -> NDArray[np.float32]:
    """Return what pixel values become between 0 and 1, shape (channels, 256)."""
    levels: NDArray[np.float32] = np.arange(_VALUES, dtype=np.float32) / _WHITE
    return np.tile(levels, (channels, 1))


def standard_levels(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return what pixel values become where each channel gets mean 0 and sd 1 over ``images``.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, height, width, channels)

    Returns
    -------
    ndarray of float32, shape (channels, 256)
        A channel that is the same everywhere gets the sd 1.
    """
    values = np.arange(_VALUES)
    levels = []
    for channel in np.moveaxis(images, -1, 0):
        counts = np.bincount(channel.ravel(), minlength=_VALUES).astype(float)
        mean = (counts * values).sum() / counts.sum()
        sd = np.sqrt((counts * (values - mean) ** 2).sum() / counts.sum())
        levels.append((values - mean) / (sd or 1))
    return np.array(levels, np.float32)


def normalised(
    images: NDArray[np.uint8], levels: NDArray[np.float32], data_format: DataFormat
) -> NDArray[np.float32]:
    """Return images, each pixel at the level of its value in its channel.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, height, width, channels)
    levels : ndarray of float32, shape (channels, 256)
    data_format : "channels_last" or "channels_first"

    Returns
    -------
    ndarray of float32, shape (N, height, width, channels) or (N, channels, height, width)
    """
    axis = -1 if data_format == "channels_last" else 1
    channels = [
        level[pixels] for level, pixels in zip(levels, np.moveaxis(images, -1, 0), strict=True)
    ]
    return np.stack(channels, axis=axis)


def one_hot(labels: NDArray[Any], classes: int) -> NDArray[np.float32]:
    """Return class indices, shape (N,), as float32 of shape (N, classes)."""
    return np.eye(classes, dtype=np.float32)[labels]
