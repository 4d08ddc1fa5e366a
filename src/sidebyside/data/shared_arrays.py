"""Processed arrays on their way to other machines, by digest."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from sidebyside import paths
from sidebyside.config.datasets import Dataset
from sidebyside.data.arrays import DESCRIPTION, ProcessedArrays, open_arrays
from sidebyside.data.prepare import locked, made_from
from sidebyside.engine.recipe import DataFormat
from sidebyside.files import move_into_place, remove
from sidebyside.storage.shared.bundles import SharedStore

KIND = "data"


def push_arrays(shared: SharedStore, arrays: ProcessedArrays) -> None:
    """Put arrays in a shared store, if they aren't there."""
    names = [*arrays.digests, DESCRIPTION]
    name = f"{arrays.digest}-{_origin(arrays.made_from)}"
    shared.put(KIND, name, {name: arrays.folder / name for name in names})


def fetch_arrays(
    shared: SharedStore, dataset: Dataset, data_format: DataFormat, digest: str
) -> None:
    """Take the arrays with a digest from a shared store, where `prepare` would have to make them.

    Nothing is done where the shared store hasn't got them: `prepare` makes them then. Processes of
    one machine that need them at once fetch them once.
    """
    folder, origin = paths.processed(dataset.name, data_format), made_from(dataset)

    def there() -> bool:
        arrays = open_arrays(folder)
        return arrays is not None and arrays.made_from == origin

    if there():
        return
    with locked(dataset, data_format):
        bundles = [] if there() else shared.find(KIND, f"{digest}-{_origin(origin)}")
        arriving = folder.with_name(f".{data_format}.arriving")
        for bundle in bundles:
            remove(arriving)
            arriving.mkdir(parents=True)
            if shared.get(bundle, arriving) and _digest(arriving) == digest:
                move_into_place(arriving, folder)
                return
        remove(arriving)


def _digest(folder: Path) -> str | None:
    arrays = open_arrays(folder)
    return arrays.digest if arrays else None


def _origin(made_from: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:16]
