"""A folder of PNG or JPEG files, a folder of each class within, as one dataset."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from sidebyside.data.preprocessing import npz
from sidebyside.errors import UserError

_ENDINGS = (".png", ".jpg", ".jpeg")
_SEED = 0  # of the split and of the order
_PARTS = ("train", "test")
_MOST_CLASSES = 256  # labels are bytes
_MOST_PIXELS = 4096 * 4096
_MOST_BYTES = 4 * 2**30  # of all images together
_CHANNELS = {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB"}


@dataclass(frozen=True)
class Packed:
    """A folder as a NumPy archive.

    Attributes
    ----------
    content : bytes
        The same for the same images.
    class_names : list of str
        The folders, in the order of their labels.
    """

    content: bytes
    class_names: list[str]


def pack(folder: Path, test_fraction: float) -> Packed:
    """Return the images of a folder.

    Parameters
    ----------
    folder : pathlib.Path
        Holds ``train/<class>/`` and ``test/<class>/``, or ``<class>/``, of which a share of each
        class's images becomes the test set, always the same.
    test_fraction : float

    Raises
    ------
    UserError
        If it isn't such a folder, or its images differ in size.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: give one that holds a folder of images per class.")
    divided = [folder / part for part in _PARTS]
    if all(part.is_dir() for part in divided):
        names = _classes(divided[0])
        if _classes(divided[1]) != names:
            raise UserError(
                f"{divided[0]} and {divided[1]} hold other classes: {', '.join(names)} and "
                f"{', '.join(_classes(divided[1]))}."
            )
        parts = [_read(part, names) for part in divided]
    else:
        names = _classes(folder)
        parts = _split(*_read(folder, names), test_fraction, folder)
    _check_alike(parts, folder)
    return Packed(npz.serialise(_arrays(parts)), names)


def _classes(folder: Path) -> list[str]:
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and _shown(path))
    if not 2 <= len(names) <= _MOST_CLASSES:
        raise UserError(
            f"{folder} holds {len(names)} folders: one for each of 2 to {_MOST_CLASSES} classes is "
            "needed."
        )
    return names


def _shown(path: Path) -> bool:
    return not path.name.startswith((".", "__"))


def _read(folder: Path, names: Sequence[str]) -> tuple[list[NDArray[np.uint8]], NDArray[Any]]:
    images: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    size = 0
    for label, name in enumerate(names):
        files = sorted(path for path in (folder / name).iterdir() if _shown(path))
        if not files:
            raise UserError(f"{folder / name} holds no images: add some, or remove the folder.")
        for path in files:
            image = _image(path)
            size += image.nbytes
            if size > _MOST_BYTES:
                raise UserError(f"{folder} holds more than {_MOST_BYTES >> 30} GiB of pixels.")
            images.append(image)
            labels.append(label)
    return images, np.array(labels)


def _image(path: Path) -> NDArray[np.uint8]:
    if path.suffix.lower() not in _ENDINGS or not path.is_file():
        raise UserError(f"{path} is no PNG and no JPEG file: convert it, or move it elsewhere.")
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise UserError(f"{path} has {image.width}x{image.height} pixels, too many.")
            if image.mode not in _CHANNELS or "transparency" in image.info:
                raise UserError(
                    f"{path} has {image.mode} pixels or is transparent: save it in grey or in RGB, "
                    "of 8 bits."
                )
            upright = ImageOps.exif_transpose(image)  # as a telephone held it
            return np.asarray(upright.convert(_CHANNELS[image.mode]))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise UserError(f"{path} can't be read as an image: it is damaged. Replace it.") from None


def _split(
    images: list[NDArray[np.uint8]], labels: NDArray[Any], fraction: float, folder: Path
) -> list[tuple[list[NDArray[np.uint8]], NDArray[Any]]]:
    from sklearn.model_selection import train_test_split

    try:
        parts = train_test_split(
            np.arange(len(labels)), test_size=fraction, stratify=labels, random_state=_SEED
        )
    except ValueError:
        counts = ", ".join(map(str, np.bincount(labels)))
        raise UserError(
            f"{folder} has {counts} images of its classes, too few to make a test set of "
            f"{fraction:g} of them: add images, or take another --test-fraction."
        ) from None
    return [([images[at] for at in part], labels[part]) for part in map(np.sort, parts)]


def _check_alike(
    parts: Sequence[tuple[list[NDArray[np.uint8]], NDArray[Any]]], folder: Path
) -> None:
    sizes = {image.shape[:2] for images, _ in parts for image in images}
    if len(sizes) > 1:
        listed = ", ".join(f"{width}x{height}" for height, width in sorted(sizes)[:5])
        raise UserError(
            f"{folder} holds images of {len(sizes)} sizes ({listed}): scale them all to one."
        )


def _arrays(
    parts: Sequence[tuple[list[NDArray[np.uint8]], NDArray[Any]]],
) -> dict[str, NDArray[np.uint8]]:
    """Return images and labels by role, in an order that is the same for the same images."""
    colour = any(image.ndim == 3 for images, _ in parts for image in images)
    arrays = {}
    for part, (images, labels) in zip(_PARTS, parts, strict=True):
        order = np.random.default_rng(_SEED).permutation(len(labels))
        stacked = np.stack([_coloured(images[at]) if colour else images[at] for at in order])
        arrays[f"{part}_images"] = stacked
        arrays[f"{part}_labels"] = labels[order].astype(np.uint8)
    return arrays


def _coloured(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=-1)
