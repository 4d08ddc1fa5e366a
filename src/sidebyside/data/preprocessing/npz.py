"""NumPy archives as ``keras.datasets`` ships them: x_train, y_train, x_test and y_test."""

import io
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidebyside.errors import UserError

_ROLES = {
    "train_images": "x_train",
    "train_labels": "y_train",
    "test_images": "x_test",
    "test_labels": "y_test",
}
_MOST = 8 * 2**30  # bytes that an archive may unpack to
_BYTE = 255


def parse(content: bytes, name: str) -> dict[str, NDArray[np.uint8]]:
    """Return images and labels by role; nothing in the archive is unpickled.

    Parameters
    ----------
    content : bytes
    name : str
        What to call it in messages.

    Raises
    ------
    UserError
        If it is no such archive, or its arrays aren't images of 8 bits and class indices.
    """
    try:
        found = _read(content, name)
    except UserError:
        raise
    except Exception:  # whatever a damaged file makes zipfile and NumPy raise
        raise UserError(
            f"{name} is no NumPy archive (.npz), or a damaged one: make or get it again."
        ) from None
    for part in ("train", "test"):
        images, labels = found[f"{part}_images"], found[f"{part}_labels"]
        if images.ndim not in (3, 4) or not images.size:
            raise UserError(
                f"{name} has {part} images of shape {images.shape}: (N, height, width) or (N, "
                "height, width, channels) is needed."
            )
        if not labels.ndim or not labels.size or labels.size != len(labels):
            raise UserError(
                f"{name} has {part} labels of shape {labels.shape}: (N,) or (N, 1) is needed."
            )
        found[f"{part}_images"] = _bytes(images, name, "images")
        found[f"{part}_labels"] = _bytes(labels.reshape(-1), name, "labels")
    return found


def _read(content: bytes, name: str) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > _MOST:
        raise UserError(f"{name} unpacks to {size} bytes, more than the {_MOST} allowed.")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        if missing := [key for key in _ROLES.values() if key not in arrays]:
            raise UserError(
                f"{name} has no {' and no '.join(missing)}: it has {list(arrays)!a}, and "
                f"{', '.join(_ROLES.values())} are needed."
            )
        return {role: np.asarray(arrays[key]) for role, key in _ROLES.items()}


def serialise(arrays: dict[str, NDArray[np.uint8]]) -> bytes:
    """Return images and labels by role as an archive, the same bytes for the same arrays."""
    stream = io.BytesIO()
    named: dict[str, Any] = {key: arrays[role] for role, key in _ROLES.items()}
    np.savez(stream, **named)  # uncompressed: other versions of zlib compress otherwise
    return stream.getvalue()


def _bytes(array: NDArray[Any], name: str, what: str) -> NDArray[np.uint8]:
    whole = array.dtype.kind in "ui" and array.size
    if not whole or array.min() < 0 or array.max() > _BYTE:
        raise UserError(
            f"{name} has {what} of {array.dtype}"
            + (f" from {array.min()} to {array.max()}" if whole else "")
            + f": whole numbers from 0 to {_BYTE} are needed."
        )
    return array.astype(np.uint8)
