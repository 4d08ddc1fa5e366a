"""Processed arrays: what preprocess writes, read back as memory maps and verified."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from sidebyside.config.protocols import FOLDS, TEST_AS_VALIDATION
from sidebyside.data.folds import divide_by_seed
from sidebyside.data.preprocessing.transform import scale_levels
from sidebyside.engine.training.arrays import Subset, pixels_of
from sidebyside.errors import UserError
from sidebyside.files import file_digest, read_json
from sidebyside.storage import journal

DESCRIPTION = "arrays.json"
_COLOURS = 3  # red, green and blue
_SOME = 500  # images, which tell what all of them are like
_BACK_WITHIN = 30  # seconds that preprocess may take


@dataclass(frozen=True)
class ProcessedArrays:
    """The arrays of one dataset in one data format.

    Attributes
    ----------
    folder : pathlib.Path
    shapes : dict
        By name of images and labels: ``{"before": [..], "after": [..]}``.
    digests : dict of str
        SHA-256 of each file, by its name.
    made_from : dict of str
        What decided them: SHA-256 of each raw file by its role and of each source module, and what
        the config says of the files.
    """

    folder: Path
    shapes: dict[str, dict[str, list[int]]]
    digests: dict[str, str]
    made_from: dict[str, str]

    @property
    def digest(self) -> str:
        """SHA-256 over all files, by which run keys know the data.

        Without the class indices, which say what the one-hot labels do: so the digests are those
        of before there were any.
        """
        deciding = {
            name: digest
            for name, digest in self.digests.items()
            if not name.endswith("_classes.npy")
        }
        return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()

    @property
    def levels(self) -> NDArray[np.float32]:
        """What the values of a pixel became, shape (channels, 256); see `preprocess`."""
        if self.holds("levels"):
            return self.read("levels")
        return scale_levels(self.channels)

    @property
    def channels(self) -> int:
        """The number of channels of the images."""
        after = self.shapes["train_images"]["after"]
        return after[1] if self.folder.name == "channels_first" else after[-1]

    def pixels(self, images: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return what images are to look at: (N, height, width), of three channels (N, .., 3).

        Two channels, or more than three, have no colours, so their mean is shown.
        """
        axis = 1 if self.folder.name == "channels_first" else -1
        last = np.moveaxis(pixels_of(np.asarray(images), self.levels, axis), axis, -1)
        if last.shape[-1] == _COLOURS:
            return last
        return last[..., 0] if last.shape[-1] == 1 else last.mean(axis=-1).astype(np.uint8)

    def some_pixels(self) -> NDArray[np.uint8]:
        """Return some training images to look at, see `pixels`."""
        return self.pixels(self.read("train_images")[:_SOME])

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
            raise UserError(self._loss(path))
        if name.startswith("test_"):
            journal.record_look(self.folder.parent.name)
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        return array

    def _loss(self, path: Path) -> str:
        """Return what to say where a file isn't what it was."""
        now = open_arrays(self.folder)
        if now is not None and now.digests != self.digests:
            return (
                f"The data in {self.folder} were exchanged meanwhile by a command with another "
                "config of this dataset, dataset.normalisation for instance: run this one again "
                "when that has ended."
            )
        return (
            f"{path} is missing or damaged: its content isn't what preprocess wrote. Delete "
            f"{self.folder} and run the command again."
        )


def training_arrays(
    arrays: ProcessedArrays, protocol: str, seed: int | None = None
) -> tuple[Subset, Subset | None]:
    """Return what a protocol trains on, and what it validates on if on anything.

    The test images are read only where the protocol validates on them. Under cross-validation the
    ``seed`` of a run says which fold is held out, and nothing validates.
    """
    images, labels, levels = arrays.read("train_images"), arrays.read("train_labels"), arrays.levels
    if protocol in FOLDS:
        assert seed is not None, "which fold is held out follows from the seed"
        indices, _ = divide_by_seed(protocol, arrays.read("train_classes"), seed)
        return Subset(images, labels, indices, levels), None
    training = Subset(images, labels, arrays.read(f"{protocol}_training"), levels)
    if protocol in TEST_AS_VALIDATION:
        test = arrays.read("test_images"), arrays.read("test_labels")
        return training, Subset(*test, np.arange(len(test[0])), levels)
    if arrays.holds(f"{protocol}_validation"):
        return training, Subset(images, labels, arrays.read(f"{protocol}_validation"), levels)
    return training, None


def division_digest(arrays: ProcessedArrays, protocol: str, seed: int) -> str | None:
    """Return the SHA-256 of what trains a run under cross-validation, by which its key knows it.

    None for a protocol without folds, whose division is one of the arrays.

    Raises
    ------
    UserError
        If the images can't be divided so.
    """
    if protocol not in FOLDS:
        return None
    training, _ = divide_by_seed(protocol, arrays.read("train_classes"), seed)
    return hashlib.sha256(training.astype("<i4").tobytes()).hexdigest()


def scored_arrays(
    arrays: ProcessedArrays, protocol: str, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return the images that test a run, and their classes.

    Those of the test set; under cross-validation those of the run's fold, and the test set stays
    closed.
    """
    if protocol not in FOLDS:
        return arrays.read("test_images"), arrays.read("test_classes")
    images, target = arrays.read("train_images"), arrays.read("train_classes")
    _, own = divide_by_seed(protocol, target, seed)
    return images[own], target[own]


def open_arrays(folder: Path) -> ProcessedArrays | None:
    """Return the arrays in ``folder``, or None where preprocess hasn't finished."""
    try:
        content = read_json(folder / DESCRIPTION)
        return ProcessedArrays(folder, **content)
    except (OSError, ValueError, TypeError):
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
