"""A dataset's arrays, made where they aren't there yet."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidebyside import paths
from sidebyside.config.datasets import Dataset
from sidebyside.config.protocols import PROTOCOLS, training_size
from sidebyside.data.arrays import DESCRIPTION, ProcessedArrays, open_arrays
from sidebyside.data.download import download
from sidebyside.data.in_use import check_free, counted_on, locked
from sidebyside.data.preprocessing.raw import parse
from sidebyside.data.preprocessing.splits import divide
from sidebyside.data.preprocessing.transform import (
    normalised,
    one_hot,
    scale_levels,
    standard_levels,
)
from sidebyside.engine.recipe import DataFormat
from sidebyside.errors import UserError
from sidebyside.files import file_digest, replaced, source_digests, write_json

_DECIDING = "data/preprocessing"
_PARTS = ("train", "test")
_Arrays = dict[str, NDArray[Any]]


def preprocess(dataset: Dataset, data_format: DataFormat) -> ProcessedArrays:
    """Write a dataset's arrays in one data format.

    ``train_images``, ``test_images``: float32, (N, height, width, channels) for channels_last,
    (N, channels, height, width) for channels_first; in [0, 1], or standardised, and then
    ``levels``: float32, (channels, 256), what pixel values became.
    ``train_labels``, ``test_labels``: one-hot float32,
    (N, classes); ``train_classes``, ``test_classes``: the same as uint8 indices, (N,).
    ``<protocol>_training`` and, where the protocol validates on training images,
    ``<protocol>_validation``: int32 indices into the training images.

    Raises
    ------
    UserError
        If a raw file is missing, damaged or doesn't fit the dataset's config, or a process counts
        on the arrays as they are.
    """
    with locked(dataset.name, data_format):
        return _preprocess(dataset, data_format)


def _preprocess(dataset: Dataset, data_format: DataFormat) -> ProcessedArrays:
    check_free(dataset.name, data_format, made_from(dataset))
    raw = read_raw(dataset)
    arrays: _Arrays = {}
    pixels = {part: raw[f"{part}_images"].reshape(-1, *dataset.shape) for part in _PARTS}
    levels = scale_levels(dataset.shape[-1])
    if dataset.normalisation == "standardise":
        arrays["levels"] = levels = standard_levels(pixels["train"])
    for part in _PARTS:
        labels = raw[f"{part}_labels"]
        arrays[f"{part}_images"] = normalised(pixels[part], levels, data_format)
        arrays[f"{part}_labels"] = one_hot(labels, dataset.classes)
        arrays[f"{part}_classes"] = labels
    shapes = {
        name: {"before": list(raw[name].shape), "after": list(arrays[name].shape)} for name in raw
    }
    for protocol, size in _training_sizes(dataset).items():
        division = divide(protocol, raw["train_labels"], size)
        arrays[f"{protocol}_training"] = division.training
        if division.validation is not None:
            arrays[f"{protocol}_validation"] = division.validation
    return _write(paths.processed(dataset.name, data_format), arrays, shapes, made_from(dataset))


def _training_sizes(dataset: Dataset) -> dict[str, int]:
    return {protocol: training_size(protocol, dataset.size) for protocol in PROTOCOLS}


def prepare(dataset: Dataset, data_format: DataFormat) -> ProcessedArrays:
    """Return a dataset's arrays, downloading and preprocessing what isn't there yet.

    DVC's stages have done this before training; a Hydra run without DVC does it here.
    """
    if arrays := prepared(dataset, data_format):
        return arrays
    download(dataset)
    with locked(dataset.name, data_format):
        return prepared(dataset, data_format) or _preprocess(dataset, data_format)


@contextmanager
def counting_on(datasets: Iterable[tuple[Dataset, DataFormat]], by: str) -> Iterator[None]:
    """Let nobody exchange the arrays of datasets meanwhile, see `in_use.counted_on`."""
    places = {(dataset.name, data_format): dataset for dataset, data_format in datasets}
    with ExitStack() as stack:
        for (name, data_format), dataset in places.items():
            stack.enter_context(counted_on(name, data_format, made_from(dataset), by))
        yield


def prepared(dataset: Dataset, data_format: DataFormat) -> ProcessedArrays | None:
    """Return a dataset's arrays if they are there and are what its config asks for today."""
    arrays = open_arrays(paths.processed(dataset.name, data_format))
    return arrays if arrays and arrays.made_from == made_from(dataset) else None


def made_from(dataset: Dataset) -> dict[str, str]:
    """Return what decides the arrays: the raw files, what the config says of them, and the code."""
    said = {
        "format": dataset.format,
        "classes": dataset.classes,
        "image_shape": list(dataset.image_shape),
        "trained on": _training_sizes(dataset),
        "normalisation": dataset.normalisation,
    }
    return {
        **{role: f"{file.name} {file.sha256}" for role, file in dataset.files.items()},
        **{name: str(value) for name, value in said.items()},
        **source_digests(_DECIDING),
    }


def read_raw(dataset: Dataset) -> _Arrays:
    """Return a dataset's images and labels as its files have them, see `raw.parse`.

    Raises
    ------
    UserError
        If a file is missing, damaged or doesn't fit the dataset's config.
    """
    files = {}
    for role, file in dataset.files.items():
        path = paths.raw(dataset.name) / file.name
        if not path.is_file():
            raise UserError(f"{path} is missing: run the download stage for {dataset.name} first.")
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise UserError(
                f"{path} is damaged: its SHA-256 isn't the one in its config, conf/dataset/"
                f"{dataset.name}.yaml. Delete it and run the download again."
            )
        files[role] = str(path), content
    raw = parse(dataset.format, files, colour=len(dataset.image_shape) > 2)
    check_raw(dataset, raw)
    return raw


def check_raw(dataset: Dataset, raw: Mapping[str, NDArray[Any]]) -> None:
    """Raise a UserError if images and labels don't fit a dataset's config, or each other."""
    for part in _PARTS:
        _check(dataset, part, raw[f"{part}_images"], raw[f"{part}_labels"])
    _check_disputed(dataset, len(raw["test_labels"]))


def _check(dataset: Dataset, part: str, images: NDArray[Any], labels: NDArray[Any]) -> None:
    if len(images) != len(labels) or not len(images):
        raise UserError(
            f"dataset={dataset.name}: {len(images)} {part} images and {len(labels)} {part} labels "
            "don't belong together: check the files in its config."
        )
    if images.shape[1:] not in (tuple(dataset.image_shape), dataset.shape):
        raise UserError(
            f"dataset={dataset.name}: {part} images are {images.shape[1:]} pixels, its config "
            f"says image_shape: {dataset.image_shape}."
        )
    if part == "train" and len(images) != dataset.size:
        raise UserError(
            f"dataset={dataset.name}: its config says training_images: {dataset.size}, but there "
            f"are {len(images)}: set it to that."
        )
    # A class without training images can't be learnt, so the config means another dataset.
    if labels.max() >= dataset.classes or (part == "train" and labels.max() < dataset.classes - 1):
        raise UserError(
            f"dataset={dataset.name}: its config says classes: {dataset.classes}, but its {part} "
            f"labels go up to {labels.max()}: set dataset.classes to what the files hold."
        )


def _check_disputed(dataset: Dataset, images: int) -> None:
    if beyond := [at for at in dataset.disputed if at >= images]:
        raise UserError(
            f"dataset={dataset.name}: its config says that the label of test image {beyond[0]} is "
            f"disputed, and there are {images}, counted from 0: correct disputed in it."
        )


def _write(
    folder: Path,
    arrays: _Arrays,
    shapes: dict[str, dict[str, list[int]]],
    made_from: dict[str, str],
) -> ProcessedArrays:
    digests = {}
    with replaced(folder) as unfinished:
        for name, array in arrays.items():
            path = unfinished / f"{name}.npy"
            np.save(path, array, allow_pickle=False)
            digests[path.name] = str(file_digest(path))
        description = {"shapes": shapes, "digests": digests, "made_from": made_from}
        write_json(unfinished / DESCRIPTION, description)
    return ProcessedArrays(folder, shapes, digests, made_from)
