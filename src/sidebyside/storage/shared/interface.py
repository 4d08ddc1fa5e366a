"""What a place that several machines reach has to offer, and what there is where it fails."""

from pathlib import Path
from typing import Protocol


class StoreError(Exception):
    """The shared store doesn't do what it is asked; the message says why, without passwords."""


class AbsentError(Exception):
    """A shared store has no such file."""


class Objects(Protocol):
    """Files in a place that several machines reach, by names such as "runs/9f/9f3c.tar".

    Each method raises what its back end raises where that fails for a moment or for good. Where
    there is no such file, `download`, `read` and `remove` raise an AbsentError.

    Attributes
    ----------
    address : str
        The place, passwords hidden.
    tells_one : bool
        Whether of several that `create` a file at once one alone is told that it did.
    """

    address: str
    tells_one: bool

    def upload(self, path: Path, name: str) -> None:
        """Put a file there, whole or not at all, in place of the one of that name."""

    def download(self, name: str, path: Path) -> None:
        """Write a file's content to ``path``."""

    def create(self, name: str, content: bytes) -> bool:
        """Put a small file there if none has that name, and return whether none had."""

    def write(self, name: str, content: bytes) -> None:
        """Put a small file there, in place of the one of that name."""

    def read(self, name: str) -> bytes:
        """Return the content of a small file."""

    def remove(self, name: str) -> None:
        """Remove a file."""

    def sizes(self, folder: str) -> dict[str, int]:
        """Return the bytes of each file below a folder by its full name, however deep."""
