"""A dataset's files to images and labels, whatever the format."""

import gzip
import io
import zlib
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from sidebyside.data.preprocessing import cifar, idx, npz
from sidebyside.errors import UserError

Raw = dict[str, NDArray[Any]]

_MOST = 4 * 2**30  # bytes that a file may decompress to


def parse(form: str, files: Mapping[str, tuple[str, bytes]], colour: bool) -> Raw:
    """Return ``train_images``, ``train_labels``, ``test_images`` and ``test_labels``, uint8.

    Images have the shape (N, height, width), in colour (N, height, width, channels).

    Parameters
    ----------
    form : str
        See `sidebyside.config.datasets.Dataset`.
    files : dict of (str, bytes)
        Name and content by role.
    colour : bool
        Whether images of an IDX file have a channel axis.

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
    dimensions = {"images": 4 if colour else 3, "labels": 1}
    return {
        role: idx.parse(_unzipped(content, name), name, dimensions[role.partition("_")[2]])
        for role, (name, content) in files.items()
    }


def _unzipped(content: bytes, name: str) -> bytes:
    if not name.endswith(".gz"):
        return content
    try:
        with gzip.open(io.BytesIO(content)) as stream:
            unzipped = stream.read(_MOST + 1)
    except (OSError, EOFError, zlib.error):
        raise UserError(f"{name} is no gzip file, or a damaged one.") from None
    if len(unzipped) > _MOST:
        raise UserError(f"{name} decompresses to more than the {_MOST} bytes allowed.")
    return unzipped
