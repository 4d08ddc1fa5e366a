"""Raw images and labels to what a network reads: reshaped, scaled, one-hot."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidebyside.engine.recipe import DataFormat

_WHITE = np.float32(255)  # the largest value of a pixel


def scaled(images: NDArray[np.uint8], data_format: DataFormat) -> NDArray[np.float32]:
    """Return images, shape (N, height, width), as float32 in [0, 1] with a channel axis.

    Shape (N, height, width, 1) for channels_last, (N, 1, height, width) for channels_first.
    """
    channel_axis = -1 if data_format == "channels_last" else 1
    pixels: NDArray[np.float32] = np.expand_dims(images, channel_axis).astype(np.float32) / _WHITE
    return pixels


def one_hot(labels: NDArray[Any], classes: int) -> NDArray[np.float32]:
    """Return class indices, shape (N,), as float32 of shape (N, classes)."""
    return np.eye(classes, dtype=np.float32)[labels]
