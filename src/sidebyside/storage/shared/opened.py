"""The store that an address names."""

import uuid
from pathlib import Path
from urllib.request import url2pathname

from sidebyside.errors import UserError
from sidebyside.redaction import without_passwords
from sidebyside.storage.shared.bundles import SharedStore
from sidebyside.storage.shared.folder import Folder
from sidebyside.storage.shared.interface import AbsentError, Objects, StoreError

_HOW = (
    "Give a folder that all machines mount, file:///..., s3://bucket/folder, another address "
    "that fsspec has a driver for, or mlflow"
)


def objects_at(uri: str) -> Objects:
    """Return what there is at an address: a folder, or what fsspec reaches.

    Raises
    ------
    UserError
        If it is no address, the driver for it is missing, or there is no such folder.
    """
    if "://" not in uri or uri.startswith("file:"):
        return _folder_at(uri)
    from sidebyside.storage.shared.remote import Remote

    try:
        return Remote(uri)
    except ImportError as error:
        raise UserError(
            without_passwords(
                f"store.uri={uri} needs a package that isn't installed ({error}). For s3:// that "
                "is pip install 'sidebyside[s3]', in a clone pip install -e '.[s3]'; else fsspec's "
                "documentation names it."
            )
        ) from None
    except Exception as error:  # each driver has errors of its own
        raise UserError(
            without_passwords(
                f"store.uri={uri} can't be used ({type(error).__name__}: {error}). {_HOW}."
            )
        ) from None


def _folder_at(uri: str) -> Folder:
    path = Path(_path_of(uri) if uri.startswith("file:") else uri)
    if not path.is_absolute():
        raise UserError(
            f"store.uri={uri} is no absolute path, so other machines can't know where it is. "
            f"{_HOW}."
        )
    if not path.is_dir():  # made here, it would be on this machine alone where a mount is missing
        raise UserError(f"store.uri={uri} is no folder here: make it once, or mount it.")
    return Folder(path)


def _path_of(uri: str) -> str:
    """Return the path in an address that begins with "file:", of which # and ? are parts."""
    path = uri.removeprefix("file:")
    if path.startswith("//"):
        host, slash, below = path[2:].partition("/")
        if host not in ("", "localhost"):
            host = host.rpartition("@")[2]
            raise UserError(
                f"store.uri={without_passwords(uri)} is an address on a machine called {host}. A "
                f"folder here has three slashes: file:///{host}{slash}{below}."
            )
        path = slash + below
    return url2pathname(path)


def check_usable(store: SharedStore) -> None:
    """Raise a UserError where a store can't be read and written."""
    probe = f"probes/{uuid.uuid4().hex}"
    objects = store.objects
    once = SharedStore(objects, patience=0)
    try:
        once.ask(objects.write, probe, b"probe")
        if once.ask(objects.read, probe) != b"probe":
            raise StoreError(f"{store.address} gives back other bytes than it was given")
        once.ask(objects.remove, probe)
    except (StoreError, AbsentError) as error:
        raise UserError(
            without_passwords(
                f"The shared store {error}. Give access to it, or set store.uri or "
                "SIDEBYSIDE_STORE to another one or to null."
            )
        ) from None
