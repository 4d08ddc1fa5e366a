"""A dataset's files to images and labels, whatever the format."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from sidebyside.data.preprocessing import cifar, gz, idx, npz

Raw = dict[str, NDArray[Any]]

_MOST = 4 * 2**30  # bytes that a file may decompress to
_OF_COLOUR = 4  # dimensions: images, height, width, channels


def parse(form: str, files: Mapping[str, tuple[str, bytes]], colour: bool | None = None) -> Raw:
    """Return ``train_images``, ``train_labels``, ``test_images`` and ``test_labels``, uint8.

    Images have the shape (N, height, width), in colour (N, height, width, channels).

    Parameters
    ----------
    form : str
        See `sidebyside.config.datasets.Dataset`.
    files : dict of (str, bytes)
        Name and content by role.
    colour : bool, optional
        Whether images of an IDX file have a channel axis; without it, as the file says.

    Raises
    ------
    UserError
        If a file isn't what its format says.
    """
    if form == "npz":
        name, content = files["archive"]
        return npz.parse(content, name)
    if form in ("cifar10", "cifar100"):
        name, content = files["archive"]
        return cifar.parse(content, name, form)
    unzipped = {role: (name, _unzipped(content, name)) for role, (name, content) in files.items()}
    if colour is None:
        colour = idx.dimensions(unzipped["train_images"][1]) == _OF_COLOUR
    dimensions = {"images": _OF_COLOUR if colour else _OF_COLOUR - 1, "labels": 1}
    return {
        role: idx.parse(content, name, dimensions[role.partition("_")[2]])
        for role, (name, content) in unzipped.items()
    }


def _unzipped(content: bytes, name: str) -> bytes:
    if not name.endswith(".gz"):
        return content
    return gz.unzipped(content, name, _MOST)
