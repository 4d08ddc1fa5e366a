"""Processed arrays on their way to other machines, by digest."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from sidebyside import paths
from sidebyside.config.datasets import Dataset
from sidebyside.data.arrays import DESCRIPTION, ProcessedArrays, open_arrays
from sidebyside.data.in_use import check_free, locked
from sidebyside.data.prepare import made_from
from sidebyside.engine.recipe import DataFormat
from sidebyside.files import move_into_place, remove
from sidebyside.storage.shared.bundles import Bundle, SharedStore

KIND = "data"


def push_arrays(shared: SharedStore, arrays: ProcessedArrays) -> None:
    """Put arrays in a shared store, if they aren't there."""
    names = [*arrays.digests, DESCRIPTION]
    name = f"{arrays.digest}-{_origin(arrays.made_from, arrays.folder.name)}"
    shared.put(KIND, name, {name: arrays.folder / name for name in names})


def fetch_arrays(
    shared: SharedStore, dataset: Dataset, data_format: DataFormat, digest: str | None = None
) -> None:
    """Take a dataset's arrays from a shared store, where `prepare` would have to make them.

    Nothing is done where the shared store hasn't got them: `prepare` makes them then. Processes of
    one machine that need them at once fetch them once.

    Parameters
    ----------
    shared : SharedStore
    dataset : Dataset
    data_format : str
    digest : str, optional
        What `ProcessedArrays.digest` of them has to be; else all that were made by the code here
        from the files of the dataset's config will do.
    """
    folder = paths.processed(dataset.name, data_format)
    made = made_from(dataset)

    def there() -> bool:
        arrays = open_arrays(folder)
        return arrays is not None and arrays.made_from == made

    if there():
        return
    with locked(dataset.name, data_format):
        if not there():
            _take(shared, _made_so(shared, digest, _origin(made, data_format)), folder)


def fetch_by_digest(
    shared: SharedStore, dataset: str, data_format: DataFormat, digest: str
) -> None:
    """Take the arrays with a digest, as `fetch_arrays`, whatever made them so."""
    folder = paths.processed(dataset, data_format)
    if _digest(folder) == digest:
        return
    with locked(dataset, data_format):
        if _digest(folder) != digest:
            _take(shared, shared.find(KIND, digest), folder)


def _take(shared: SharedStore, bundles: Sequence[Bundle], folder: Path) -> None:
    """Put the first sound one of some bundles in the place of a folder of arrays."""
    arriving = folder.with_name(f".{folder.name}.arriving")
    for bundle in bundles:
        remove(arriving)
        arriving.mkdir(parents=True)
        arrays = open_arrays(arriving) if shared.get(bundle, arriving) else None
        if arrays and bundle.name.startswith(f"{arrays.digest}-"):
            check_free(folder.parent.name, folder.name, arrays.made_from)
            move_into_place(arriving, folder)
            return
    remove(arriving)


def _made_so(shared: SharedStore, digest: str | None, origin: str) -> list[Bundle]:
    found = shared.find(KIND, digest) if digest else shared.all(KIND)
    return [bundle for bundle in found if bundle.name.endswith(f"-{origin}")]


def _digest(folder: Path) -> str | None:
    arrays = open_arrays(folder)
    return arrays.digest if arrays else None


def _origin(made: Mapping[str, str], data_format: str) -> str:
    """Return the first digits of a digest of what decides arrays."""
    decided = json.dumps({"data_format": data_format, **made}, sort_keys=True)
    return hashlib.sha256(decided.encode()).hexdigest()[:16]
