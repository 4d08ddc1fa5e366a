"""Processed arrays: what preprocess writes, read back as memory maps and verified."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from sidebyside.errors import UserError
from sidebyside.storage import journal

DESCRIPTION = "arrays.json"
_BACK_WITHIN = 30  # seconds that preprocess may take


@dataclass(frozen=True)
class ProcessedArrays:
    """The arrays of one dataset in one data format.

    Attributes
    ----------
    folder : pathlib.Path
    shapes : dict
        By name of the four arrays: ``{"before": [..], "after": [..]}``.
    digests : dict of str
        SHA-256 of each file, by its name.
    made_from : dict of str
        What decided them: SHA-256 of each raw file and source module, and what the config says of
        the files.
    """

    folder: Path
    shapes: dict[str, dict[str, list[int]]]
    digests: dict[str, str]
    made_from: dict[str, str]

    @property
    def digest(self) -> str:
        """SHA-256 over all files, by which run keys know the data."""
        return hashlib.sha256(json.dumps(self.digests, sort_keys=True).encode()).hexdigest()

    def holds(self, name: str) -> bool:
        """Whether there is an array of this name."""
        return f"{name}.npy" in self.digests

    def read(self, name: str) -> NDArray[Any]:
        """Return one array, e.g. "train_images" or "clean_training", as a read-only memory map.

        There is no other way to the test images and labels: opening them is recorded here, in the
        run store's journal.

        Raises
        ------
        UserError
            If the file is gone or its content has changed since preprocess wrote it, or if the
            journal can't be written.
        """
        path = self.folder / f"{name}.npy"
        if _digest_of_returning(path) != self.digests[path.name]:
            raise UserError(
                f"{path} is missing or damaged: its content isn't what preprocess wrote. Delete "
                f"{self.folder} and run the command again."
            )
        if name.startswith("test_"):
            journal.record_look(self.folder.parent.name)
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        return array


def open_arrays(folder: Path) -> ProcessedArrays | None:
    """Return the arrays in ``folder``, or None where preprocess hasn't finished."""
    try:
        found = json.loads((folder / DESCRIPTION).read_text())
        return ProcessedArrays(folder, found["shapes"], found["digests"], found["made_from"])
    except (OSError, ValueError, KeyError):
        return None


def _digest_of_returning(path: Path) -> str | None:
    """Return a file's digest; a file that is gone may be on its way back.

    DVC empties the folder of an output before the stage that makes it, and a sweep may be running.
    """
    attempts = Retrying(
        stop=stop_after_delay(_BACK_WITHIN),
        wait=wait_fixed(0.2),
        retry=retry_if_result(lambda digest: digest is None),
        retry_error_callback=lambda state: None,
    )
    return attempts(file_digest, path)


def file_digest(path: Path) -> str | None:
    """Return the SHA-256 of a file's content, None where there is no file."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
