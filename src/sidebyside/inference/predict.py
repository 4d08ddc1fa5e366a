"""What a trained network takes images for."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidebyside.data.arrays import ProcessedArrays
from sidebyside.data.image_files import Digit
from sidebyside.errors import UserError
from sidebyside.stderr import greetings_hidden


@dataclass(frozen=True)
class Prediction:
    """The most probable class of an image.

    Attributes
    ----------
    image : str
        Where it comes from.
    digit : int
    probability : float
        Between 0 and 1, as the network gives it.
    target : int or None
        Where it is known.
    changes : list of str
        What was done to the image.
    """

    image: str
    digit: int
    probability: float
    target: int | None
    changes: list[str]

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return asdict(self)


def predict(
    network: Any, digits: Sequence[Digit], targets: Sequence[int | None]
) -> list[Prediction]:
    """Return a prediction for each image.

    Parameters
    ----------
    network : keras.Model
        With input (N, height, width, 1) or (N, 1, height, width).
    digits : sequence of Digit
    targets : sequence of int or None

    Raises
    ------
    UserError
        If the network takes other images.
    """
    pixels = np.stack([digit.pixels for digit in digits])
    with greetings_hidden():
        probabilities = network.predict(_in_layout(pixels, network.input_shape), verbose=0)
    return [
        Prediction(
            image=digit.name,
            digit=int(row.argmax()),
            probability=round(float(row.max()), 6),
            target=target,
            changes=digit.changes,
        )
        for digit, target, row in zip(digits, targets, probabilities, strict=True)
    ]


def image_shape(network: Any) -> tuple[int, int]:
    """Return (height, width) of the images that a network takes.

    Raises
    ------
    UserError
        If it doesn't take images with one channel.
    """
    match network.input_shape:
        case (_, int(height), int(width), 1) | (_, 1, int(height), int(width)):
            return height, width
    raise UserError(
        f"This network takes input of shape {network.input_shape}, not images of one channel."
    )


def of_test_set(arrays: ProcessedArrays, indices: Sequence[int]) -> tuple[list[Digit], list[int]]:
    """Return test images by index, from 0, and their targets.

    Raises
    ------
    UserError
        If there is no image with that index.
    """
    images, labels = arrays.read("test_images"), arrays.read("test_classes")
    for index in indices:
        if not 0 <= index < len(images):
            raise UserError(
                f"--test-index {index} won't do: the test images are 0 to {len(images) - 1}."
            )
    digits = [Digit(f"test image {index}", np.squeeze(images[index]), []) for index in indices]
    return digits, [int(labels[index]) for index in indices]


def _in_layout(pixels: NDArray[np.float32], shape: Sequence[int | None]) -> NDArray[np.float32]:
    return pixels[..., np.newaxis] if shape[-1] == 1 else pixels[:, np.newaxis]
