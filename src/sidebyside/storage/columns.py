"""Archives of arrays too large to be read whole: their largest members are mapped into memory.

An NPZ file like any other, for `numpy.load` too. Its large arrays aren't compressed, so they lie in
the file as they do in memory.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidebyside.files import written_at_once

_LARGE = 2**20  # bytes of an array of numbers that is mapped
_FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # of a ZIP file: the same bytes each time
_HEADER = 30  # bytes of a member's own, before its name
_FASTEST = 1  # of zlib's levels


def write_columns(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays in one step, so that whoever has the file of before mapped keeps that."""
    with (
        written_at_once(path) as unfinished,
        zipfile.ZipFile(unfinished, "w", compresslevel=_FASTEST) as archive,
    ):
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", _FIRST_DAY)
            mapped = array.dtype.kind in "uif" and array.nbytes >= _LARGE
            member.compress_type = zipfile.ZIP_STORED if mapped else zipfile.ZIP_DEFLATED
            with archive.open(member, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def mapped_columns(path: Path) -> dict[str, NDArray[Any]]:
    """Return those arrays of an archive that aren't compressed, mapped and read-only."""
    arrays = {}
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        for member in archive.infolist():
            if member.compress_type == zipfile.ZIP_STORED:
                arrays[member.filename.removesuffix(".npy")] = _mapped(path, file, member)
    return arrays


def _mapped(path: Path, file: io.BufferedReader, member: zipfile.ZipInfo) -> NDArray[Any]:
    file.seek(member.header_offset)
    of_name, beside = struct.unpack("<26x2H", file.read(_HEADER))
    begin = member.header_offset + _HEADER + of_name + beside
    file.seek(begin)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[np.lib.format.read_magic(file)]
    shape, fortran, dtype = read_header(file)
    if dtype.hasobject or fortran:
        raise ValueError(f"{member.filename} isn't an array as it was written")
    # As a plain array: of a memmap of NumPy's it is slower to take rows.
    array = np.asarray(np.memmap(path, dtype, "r", file.tell(), shape))
    header = file.tell() - begin
    file.seek(begin)
    whole = array.data.cast("B") if array.size else b""
    if zlib.crc32(whole, zlib.crc32(file.read(header))) != member.CRC:
        raise ValueError(f"{member.filename} is damaged")
    return array


def as_bytes(texts: Sequence[str]) -> NDArray[np.bytes_]:
    """Return texts in a quarter of the bytes that NumPy's own take."""
    return np.array([text.encode() for text in texts])
