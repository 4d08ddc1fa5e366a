"""Any address that fsspec has a driver for: s3://bucket/folder, gs://..., sftp://..."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec

from sidebyside.redaction import without_passwords
from sidebyside.storage.shared.interface import AbsentError

# Where an object appears once all of it has arrived, and a rename would be a copy.
_WHOLE = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "memory"}


class Remote:
    """What fsspec reaches, see `sidebyside.storage.shared.interface.Objects`.

    Endpoint and credentials are those of fsspec's own config and of the driver's environment.
    """

    def __init__(self, uri: str) -> None:
        self.address = without_passwords(uri)
        self.tells_one = True  # until a driver turns out not to
        # What others have put there since is no business of a cache's.
        self._files: Any
        self._files, root = fsspec.url_to_fs(uri, use_listings_cache=False)
        self._root = root.rstrip("/")
        protocol = self._files.protocol
        protocols = {protocol} if isinstance(protocol, str) else set(protocol)
        self._appears_whole = bool(protocols & _WHOLE)

    def upload(self, path: Path, name: str) -> None:
        """Put a file there."""
        target = self._path(name)
        if self._appears_whole:
            self._files.put_file(str(path), target)
            return
        self._files.makedirs(target.rpartition("/")[0], exist_ok=True)
        unfinished = f"{target}.{uuid.uuid4().hex}"
        self._files.put_file(str(path), unfinished)
        self._files.mv(unfinished, target)

    def download(self, name: str, path: Path) -> None:
        """Write a file's content to ``path``."""
        with _there():
            self._files.get_file(self._path(name), str(path))

    def create(self, name: str, content: bytes) -> bool:
        """Put a small file there if none has that name."""
        target = self._path(name)
        try:
            self._files.pipe_file(target, content, mode="create")
        except FileExistsError:
            return False
        except (NotImplementedError, TypeError):
            # A driver that has no such mode, or whose pipe_file takes none.
            self.tells_one = False
            if self._files.exists(target):
                return False
            self.write(name, content)
        return True

    def write(self, name: str, content: bytes) -> None:
        """Put a small file there."""
        target = self._path(name)
        if not self._appears_whole:
            self._files.makedirs(target.rpartition("/")[0], exist_ok=True)
        self._files.pipe_file(target, content)

    def read(self, name: str) -> bytes:
        """Return the content of a small file."""
        with _there():
            content: bytes = self._files.cat_file(self._path(name))
        return content

    def remove(self, name: str) -> None:
        """Remove a file."""
        with _there():
            self._files.rm_file(self._path(name))

    def sizes(self, folder: str) -> dict[str, int]:
        """Return the bytes of each file below a folder by its full name."""
        self._files.invalidate_cache()
        try:
            found = self._files.find(self._path(folder), detail=True)
        except FileNotFoundError:
            return {}
        top = f"{self._root}/"
        return {path.removeprefix(top): info["size"] for path, info in found.items()}

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"


@contextmanager
def _there() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise AbsentError(str(error)) from None
