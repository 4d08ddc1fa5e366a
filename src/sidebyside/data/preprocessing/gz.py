"""Gzip, to its last byte and no further than a limit."""

import gzip
import io
import zlib

from sidebyside.errors import UserError

_CHUNK = 2**20


def check(content: bytes, name: str, most: int) -> None:
    """Read a gzip file to its end, keeping nothing.

    Raises
    ------
    UserError
        If it is damaged, or would take more than ``most`` bytes.
    """
    size = 0
    try:
        with gzip.open(io.BytesIO(content)) as stream:
            while chunk := stream.read(_CHUNK):
                size += len(chunk)
                if size > most:
                    raise UserError(f"{name} decompresses to more than the {most} bytes allowed.")
    except (OSError, EOFError, zlib.error):
        raise UserError(f"{name} is no gzip file, or a damaged one: get it again.") from None


def unzipped(content: bytes, name: str, most: int) -> bytes:
    """Return what a gzip file holds; see `check`."""
    check(content, name, most)
    return gzip.decompress(content)
