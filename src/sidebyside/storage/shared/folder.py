"""A folder that several machines mount."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sidebyside.storage.shared.interface import AbsentError

UNFINISHED = ".unfinished"  # uploads under way, and what a kill has left of one


class Folder:
    """A folder, see `sidebyside.storage.shared.interface.Objects`.

    A file is written under another name and gets its own by a rename.
    """

    def __init__(self, root: Path) -> None:
        self.address = str(root)
        self.tells_one = True
        self._root = root

    def upload(self, path: Path, name: str) -> None:
        """Put a file there."""
        with self._whole(name) as unfinished:
            shutil.copyfile(path, unfinished)

    def download(self, name: str, path: Path) -> None:
        """Write a file's content to ``path``."""
        with self._there():
            shutil.copyfile(self._root / name, path)

    def create(self, name: str, content: bytes) -> bool:
        """Put a small file there if none has that name."""
        self._check_mounted()
        path = self._with_parents(name)
        try:
            with path.open("xb") as file:
                file.write(content)
        except FileExistsError:
            return False
        return True

    def write(self, name: str, content: bytes) -> None:
        """Put a small file there."""
        with self._whole(name) as unfinished:
            unfinished.write_bytes(content)

    def read(self, name: str) -> bytes:
        """Return the content of a small file."""
        with self._there():
            return (self._root / name).read_bytes()

    def remove(self, name: str) -> None:
        """Remove a file."""
        with self._there():
            (self._root / name).unlink()

    def sizes(self, folder: str) -> dict[str, int]:
        """Return the bytes of each file below a folder by its full name."""
        self._check_mounted()
        sizes = {}
        for top, _, names in os.walk(self._root / folder):
            for name in names:
                path = Path(top, name)
                try:
                    sizes[path.relative_to(self._root).as_posix()] = path.stat().st_size
                except FileNotFoundError:  # removed by another machine meanwhile
                    continue
        return sizes

    @contextmanager
    def _whole(self, name: str) -> Iterator[Path]:
        """Give a path to write to, whose file gets its name once that is done."""
        self._check_mounted()
        # Each machine its own, on the same file system, as a rename needs it.
        unfinished = self._root / UNFINISHED / uuid.uuid4().hex
        _make(unfinished.parent)
        try:
            yield unfinished
            with unfinished.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(unfinished, self._with_parents(name))
        finally:
            unfinished.unlink(missing_ok=True)

    def _with_parents(self, name: str) -> Path:
        """Return a file's path, the folders between it and the root made.

        The root never is: where it goes just now, as a mount may, one made here would be on this
        machine alone.
        """
        path = self._root / name
        for parent in reversed(path.relative_to(self._root).parents[:-1]):
            _make(self._root / parent)
        return path

    @contextmanager
    def _there(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            self._check_mounted()
            raise AbsentError(str(error)) from None

    def _check_mounted(self) -> None:
        """Raise an error where the whole folder is gone, as a mount may be for a moment."""
        if not self._root.is_dir():
            raise NotADirectoryError(f"{self._root} is gone")


def _make(folder: Path) -> None:
    """Make a folder, which may be there; if it goes just now, what is done in it next fails.

    `Path.mkdir` with ``exist_ok`` would look again, and say of a folder that went that it exists.
    """
    with suppress(FileExistsError):
        folder.mkdir()
