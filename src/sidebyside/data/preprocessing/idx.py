"""The IDX format of the MNIST files, read strictly and written."""

import struct
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidebyside.errors import UserError

_UNSIGNED_BYTE = 0x08  # the format knows six types; images and labels are unsigned bytes


def parse(content: bytes, name: str, dimensions: int) -> NDArray[np.uint8]:
    """Return the array in an IDX file.

    Format: two zero bytes, a type byte, the number of dimensions, each size as a big-endian
    32 bit integer, then the values (http://yann.lecun.com/exdb/mnist/).

    Parameters
    ----------
    content : bytes
        The decompressed file.
    name : str
        What to call it in messages.
    dimensions : int
        The number of dimensions expected: 1 for labels, 3 for images.

    Returns
    -------
    ndarray of uint8
        A read-only view of ``content``.

    Raises
    ------
    UserError
        If magic number, number of dimensions or length don't fit.
    """
    header = 4 + 4 * dimensions
    if len(content) < header:
        raise UserError(f"{name} is truncated: {len(content)} bytes are no IDX header of {header}.")
    if content[:3] != bytes([0, 0, _UNSIGNED_BYTE]):
        raise UserError(
            f"{name} is no IDX file of unsigned bytes: it starts with 0x{content[:4].hex()} where "
            f"0x000008{dimensions:02x} is expected."
        )
    if content[3] != dimensions:
        raise UserError(
            f"{name} has {content[3]} dimensions where {dimensions} are expected: images and "
            "labels may be swapped in the dataset's config."
        )
    sizes = struct.unpack(f">{dimensions}I", content[4:header])
    length, expected = len(content) - header, prod(sizes)
    if not expected:
        raise UserError(f"{name} holds nothing: its header announces the shape {sizes}.")
    if length != expected:
        state = "truncated" if length < expected else "too long"
        raise UserError(
            f"{name} is {state}: its header announces {expected} values of shape {sizes}, "
            f"{length} follow. Delete it and run the download again."
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(sizes)


def dimensions(content: bytes) -> int:
    """Return how many dimensions the header of an IDX file announces, 0 without one."""
    return content[3] if len(content) > 3 else 0


def serialise(array: NDArray[Any]) -> bytes:
    """Return ``array`` (uint8, any shape) as an IDX file."""
    head = bytes([0, 0, _UNSIGNED_BYTE, array.ndim])
    return head + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(np.uint8).tobytes()
