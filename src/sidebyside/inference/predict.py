"""What a trained network takes images for."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from sidebyside.data.arrays import ProcessedArrays
from sidebyside.data.image_files import InputImage
from sidebyside.errors import UserError
from sidebyside.stderr import greetings_hidden


@dataclass(frozen=True)
class Prediction:
    """The most probable class of an image.

    Attributes
    ----------
    image : str
        Where it comes from.
    label : str
        The class by name, of a dataset without names by number.
    probability : float
        Between 0 and 1, as the network gives it.
    target : str or None
        Where it is known.
    changes : list of str
        What was done to the image.
    """

    image: str
    label: str
    probability: float
    target: str | None
    changes: list[str]

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return asdict(self)


def predict(
    network: Any,
    images: Sequence[InputImage],
    targets: Sequence[int | None],
    class_names: Sequence[str] = (),
) -> list[Prediction]:
    """Return a prediction for each image.

    Parameters
    ----------
    network : keras.Model
        See `image_shape`.
    images : sequence of InputImage
        As they were normalised for the network.
    targets : sequence of int or None
    class_names : sequence of str
        Empty where classes are numbers.
    """

    def named(label: int) -> str:
        return class_names[label] if class_names else str(label)

    pixels = np.stack([image.pixels for image in images])
    if _channels_first(network):
        pixels = np.moveaxis(pixels, -1, 1)
    with greetings_hidden():
        probabilities = network.predict(pixels, verbose=0)
    return [
        Prediction(
            image=image.name,
            label=named(int(row.argmax())),
            probability=round(float(row.max()), 6),
            target=None if target is None else named(target),
            changes=image.changes,
        )
        for image, target, row in zip(images, targets, probabilities, strict=True)
    ]


def image_shape(network: Any) -> tuple[int, int, int]:
    """Return (height, width, channels) of the images that a network takes.

    Raises
    ------
    UserError
        If it doesn't take images with one channel or three, or doesn't give each its classes.
    """
    takes, makes = (getattr(network, name, None) for name in ("input_shape", "output_shape"))
    if (shape := _of_images(takes)) is None:
        raise UserError(
            f"This network takes input of shape {takes}, not images of one channel or three."
        )
    match makes:
        case (None, int()):
            return shape
    raise UserError(
        f"This network makes {makes} of images, where a classifier makes (None, classes)."
    )


def _of_images(takes: Any) -> tuple[int, int, int] | None:
    for channels in (1, 3):
        match takes:
            case (_, int(height), int(width), own) if own == channels:
                return height, width, channels
            case (_, own, int(height), int(width)) if own == channels:
                return height, width, channels
    return None


def _channels_first(network: Any) -> bool:
    shape: tuple[int | None, ...] = network.input_shape[1:]
    return shape != image_shape(network)


def normalised(images: Sequence[InputImage], arrays: ProcessedArrays) -> list[InputImage]:
    """Return images of files with the values that the pixels of ``arrays`` became."""
    if not arrays.holds("levels"):
        return list(images)
    levels = arrays.levels
    channels = np.arange(len(levels))
    return [
        replace(image, pixels=levels[channels, np.rint(255 * image.pixels).astype(int)])
        for image in images
    ]


def of_test_set(
    arrays: ProcessedArrays, indices: Sequence[int], shape: tuple[int, int, int]
) -> tuple[list[InputImage], list[int]]:
    """Return test images by index, from 0, and their targets, for a network that takes ``shape``.

    Raises
    ------
    UserError
        If there is no image with that index, or they have another shape.
    """
    images, labels = arrays.read("test_images"), arrays.read("test_classes")
    for index in indices:
        if not 0 <= index < len(images):
            raise UserError(
                f"--test-index {index} won't do: the test images are 0 to {len(images) - 1}."
            )
    axis = 0 if arrays.folder.name == "channels_first" else -1
    own = np.moveaxis(images[:1], 1 + axis if axis == 0 else axis, -1).shape[1:]
    if own != shape:
        raise UserError(
            f"This network takes images of shape {shape}, and the test images have {own}: choose "
            "their --dataset, or give image files."
        )
    chosen = [
        InputImage(f"test image {index}", np.moveaxis(images[index], axis, -1), [])
        for index in indices
    ]
    return chosen, [int(labels[index]) for index in indices]
