"""What a trained network takes images for."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from sidebyside.config.datasets import Dataset
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

    Raises
    ------
    UserError
        If what it gives for an image isn't between 0 and 1.
    """

    def named(label: int) -> str:
        return class_names[label] if class_names else str(label)

    pixels = np.stack([image.pixels for image in images])
    if _channels_first(network):
        pixels = np.moveaxis(pixels, -1, 1)
    with greetings_hidden():
        probabilities = np.asarray(network.predict(pixels, verbose=0), float)
    if len(odd := probabilities[~((probabilities >= 0) & (probabilities <= 1))]):  # NaN among them
        raise UserError(
            f"This network gives {odd[0]:.4g}, which is no probability: choose one that ends with "
            "activation softmax, and whose training didn't diverge."
        )
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
    takes, makes = _shapes(network)
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


def check_dataset_fits(network: Any, dataset: Dataset) -> None:
    """Raise a UserError if a network is for other images or other classes than a dataset's."""
    takes, (_, classes) = image_shape(network), _shapes(network)[1]
    if (takes, classes) != (dataset.shape, dataset.classes):
        raise UserError(
            f"This network takes images of shape {takes} and knows {classes} classes, and those of "
            f"dataset={dataset.name} have {dataset.shape} and are of {dataset.classes}: choose "
            "another --dataset, or leave it out and give image files."
        )


def _shapes(network: Any) -> tuple[Any, Any]:
    """Return what a network takes and makes, None each where it doesn't say.

    A class of one's own has no such attributes, and is asked.
    """
    if hasattr(network, "input_shape"):
        return network.input_shape, network.output_shape
    takes = (network.get_build_config() or {}).get("input_shape")
    if takes is None:
        return None, None
    import keras

    return takes, getattr(network(keras.Input(takes[1:])), "shape", None)


def _of_images(takes: Any) -> tuple[int, int, int] | None:
    for channels in (1, 3):
        match takes:
            case (_, int(height), int(width), own) if own == channels:
                return height, width, channels
            case (_, own, int(height), int(width)) if own == channels:
                return height, width, channels
    return None


def _channels_first(network: Any) -> bool:
    takes, _ = _shapes(network)
    return tuple(takes[1:]) != image_shape(network)


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
