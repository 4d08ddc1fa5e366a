"""A config for data of one's own: sizes, shapes, classes and digests, computed from the files."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import requests
from pydantic import TypeAdapter
from urllib3.exceptions import HTTPError

from sidebyside import paths
from sidebyside.config.datasets import ROLES, Dataset
from sidebyside.config.protocols import PROTOCOLS, training_size
from sidebyside.data.image_folders import pack
from sidebyside.data.prepare import check_raw
from sidebyside.data.preprocessing.raw import Raw, parse
from sidebyside.data.preprocessing.splits import divide
from sidebyside.errors import UserError

_MOST = 4 * 2**30  # bytes of a file
_CHUNK = 2**20
_TIMEOUT = (10, 30)  # seconds to connect, seconds between two packets
_IDX = {  # what the files of MNIST and its like are called
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}


@dataclass(frozen=True)
class Found:
    """Files of a dataset, where they come from, and what they are.

    Attributes
    ----------
    form : str
        See `sidebyside.config.datasets.Dataset`.
    files : dict of (str, bytes)
        Name and content by role.
    source : str
    class_names : list of str
        Empty where labels are numbers.
    """

    form: str
    files: dict[str, tuple[str, bytes]]
    source: str
    class_names: list[str]


@dataclass(frozen=True)
class Described:
    """What `describe` says of data.

    Attributes
    ----------
    content : dict
        That of the dataset's config.
    absent : list of int
        Classes below the highest label of which there is no training image.
    """

    content: dict[str, Any]
    absent: list[int]


def describe(place: str, name: str, test_fraction: float) -> Described:
    """Return the content of a dataset's config, and which classes have no images.

    Parameters
    ----------
    place : str
        A folder of images, one of IDX files, a ``.npz`` or a binary CIFAR ``.tar.gz``; the latter
        two, and a folder of IDX files, by a path or an address.
    name : str
        Of the dataset.
    test_fraction : float
        Of a folder of images that isn't divided.

    Raises
    ------
    UserError
        If there is nothing of that kind.
    """
    found = _find(place, name, test_fraction)
    raw = parse(found.form, found.files)
    shape = [int(length) for length in raw["train_images"].shape[1:]]
    content = {
        "name": name,
        "image_shape": shape,
        "classes": int(max(raw["train_labels"].max(), raw["test_labels"].max())) + 1,
        "normalisation": "scale",
        "format": found.form,
        "training_images": len(raw["train_labels"]),
        "files": {
            role: {
                "name": file,
                "bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
            }
            for role, (file, content) in found.files.items()
        },
        "sources": [found.source],
    }
    if found.class_names:
        content["class_names"] = found.class_names
    if found.source.startswith("images:"):
        content["test_fraction"] = test_fraction
    _check_text(place, content)
    _check(place, content, raw)
    present = np.unique(raw["train_labels"])  # the highest label is among them
    absent = np.setdiff1d(np.arange(present[-1]), present)
    return Described(content, absent.tolist())


def _check_text(place: str, content: Mapping[str, Any]) -> None:
    """Raise a UserError for a name on the disk that no text holds."""
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise UserError(
            f"{place!a} has names of folders or files that aren't UTF-8, which a config is: rename "
            "them."
        ) from None


def _check(place: str, content: Mapping[str, Any], raw: Raw) -> None:
    """Raise a UserError if what was found can't be used as a dataset."""
    for file in content["files"].values():
        if not paths.is_name(file["name"]):
            raise UserError(
                f"{file['name']} can't be the name of a dataset's file: rename it, to letters, "
                "digits, _, . and -."
            )
    labels, in_test = int(raw["train_labels"].max()), int(raw["test_labels"].max())
    if not labels or in_test > labels:
        found = f"its training labels go up to {labels} and its test labels to {in_test}"
        raise UserError(
            f"{place} can't be learnt: {found}, and there have to be two classes or more, with "
            "training images of each."
        )
    dataset = TypeAdapter(Dataset).validate_json(json.dumps(content))
    check_raw(dataset, raw)
    for protocol in PROTOCOLS:
        divide(protocol, raw["train_labels"], training_size(protocol, dataset.size))


def _find(place: str, name: str, test_fraction: float) -> Found:
    if place.startswith(("http://", "https://")):
        if _user_of(place):
            raise UserError(
                "The address holds a user name, which would be written to the config: leave it "
                "out, or download the file and give its path."
            )
        base, _, file = place.rstrip("/").rpartition("/")
        if "." not in file:
            return _of_idx(
                place.rstrip("/"), ".gz", lambda own: _download(f"{place.rstrip('/')}/{own}")
            )
        return _by_name(file, base, place, lambda own: _download(f"{base}/{own}"))
    path = Path(os.path.expanduser(place))
    if path.is_file():
        path = path.parent.resolve() / path.name  # a link is read by its own name
        return _by_name(path.name, str(path.parent), place, lambda own: _read(path.parent / own))
    path = path.resolve()
    if not path.is_dir():
        raise UserError(f"{place} isn't there: give a folder, a file or an address.")
    for ending in (".gz", ""):
        if all((path / f"{file}{ending}").is_file() for file in _IDX.values()):
            return _of_idx(str(path), ending, lambda own: _read(path / own))
    packed = pack(path, test_fraction)
    archive = {"archive": (f"{name}.npz", packed.content)}
    return Found("npz", archive, f"images:{path}", packed.class_names)


def _user_of(address: str) -> str | None:
    try:
        return urlsplit(address).username
    except ValueError as error:
        raise UserError(f"{address} is no address: {error}.") from None


def _of_idx(source: str, ending: str, read: Callable[[str], bytes]) -> Found:
    names = {role: f"{file}{ending}" for role, file in _IDX.items()}
    return Found("idx", {role: (name, read(name)) for role, name in names.items()}, source, [])


def _by_name(file: str, base: str, place: str, read: Callable[[str], bytes]) -> Found:
    if file.endswith(".npz"):
        return Found("npz", {"archive": (file, read(file))}, base, [])
    if file.endswith(".tar.gz"):
        content = read(file)
        reasons = []
        for form in ("cifar10", "cifar100"):
            try:
                parse(form, {"archive": (file, content)})
            except UserError as error:
                reasons.append(error)
                continue
            return Found(form, {"archive": (file, content)}, base, [])
        raise reasons[0]
    forms = ", ".join(ROLES)
    raise UserError(
        f"{place} is none of the formats that can be read ({forms}): give a .npz, a binary CIFAR "
        ".tar.gz, or a folder of IDX files or of images."
    )


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MOST:
            raise UserError(f"{path} is larger than {_MOST >> 30} GiB.")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} can't be read: {os.strerror(error.errno or 0)}.") from None


def _download(url: str) -> bytes:
    content = bytearray()
    try:
        plain = {"Accept-Encoding": "identity"}
        with requests.get(url, stream=True, timeout=_TIMEOUT, headers=plain) as response:
            if not response.ok:
                raise UserError(f"{url} answers {response.status_code} {response.reason}.")
            for chunk in response.raw.stream(_CHUNK, decode_content=False):
                content += chunk
                if len(content) > _MOST:
                    raise UserError(f"{url} serves more than {_MOST >> 30} GiB.")
    except (requests.RequestException, HTTPError) as error:
        raise UserError(f"{url} can't be read ({type(error).__name__}).") from None
    return bytes(content)
