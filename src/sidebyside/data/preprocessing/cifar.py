"""The binary archives of CIFAR-10 and CIFAR-100; the pickled ones aren't opened.

A record is a label byte, of CIFAR-100 a coarse and a fine one, and 3072 bytes of pixels: red,
green and blue, each row by row (https://www.cs.toronto.edu/~kriz/cifar.html).
"""

import io
import tarfile

import numpy as np
from numpy.typing import NDArray

from sidebyside.data.preprocessing import gz
from sidebyside.errors import UserError

_PIXELS = 32 * 32 * 3
_MOST = 60_000 * (2 + _PIXELS)  # bytes of all records
_BESIDE = 2**20  # bytes of names, texts and of the archive itself
_FILES = {
    "cifar10": ([f"data_batch_{number}.bin" for number in range(1, 6)], ["test_batch.bin"]),
    "cifar100": (["train.bin"], ["test.bin"]),
}
_LABELS = {"cifar10": 1, "cifar100": 2}  # bytes, of which the last is the class


def parse(content: bytes, name: str, kind: str) -> dict[str, NDArray[np.uint8]]:
    """Return images, shape (N, 32, 32, 3), and labels by role.

    Parameters
    ----------
    content : bytes
        The archive, a .tar.gz.
    name : str
        What to call it in messages.
    kind : "cifar10" or "cifar100"

    Raises
    ------
    UserError
        If a file is missing in it, or isn't made of such records.
    """
    training, test = _FILES[kind]
    records = _records(content, name, [*training, *test])
    arrays = {}
    for part, files in (("train", training), ("test", test)):
        rows = [_rows(records[file], f"{name}: {file}", _LABELS[kind]) for file in files]
        together = np.concatenate(rows)
        pixels = together[:, _LABELS[kind] :].reshape(-1, 3, 32, 32)
        arrays[f"{part}_images"] = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
        arrays[f"{part}_labels"] = together[:, _LABELS[kind] - 1].copy()
    return arrays


def _records(content: bytes, name: str, wanted: list[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    # Before: tarfile doesn't get to the checksum, and sets long names no limit.
    gz.check(content, name, _MOST + _BESIDE)
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            for member in archive:
                base = member.name.rpartition("/")[2]
                if base not in wanted or not member.isfile():
                    continue
                if member.size > _MOST or base in found:
                    raise UserError(f"{name}: {base} is there twice, or larger than it can be.")
                stream = archive.extractfile(member)
                assert stream is not None
                found[base] = stream.read()
    except UserError:
        raise
    except Exception:  # whatever a damaged archive makes tarfile raise
        raise UserError(f"{name} is no .tar.gz archive, or a damaged one: get it again.") from None
    if missing := [file for file in wanted if file not in found]:
        raise UserError(
            f"{name} has no {missing[0]}: it isn't the binary version of this dataset, which is "
            "the one that can be read here."
        )
    return found


def _rows(content: bytes, name: str, labels: int) -> NDArray[np.uint8]:
    length = labels + _PIXELS
    if not content or len(content) % length:
        raise UserError(f"{name} has {len(content)} bytes, which aren't records of {length}.")
    return np.frombuffer(content, np.uint8).reshape(-1, length)
