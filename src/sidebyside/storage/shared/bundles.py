"""Bundles of files by name, each known by its SHA-256, in a place that several machines share.

A bundle is one file, ``<kind>/<first two letters>/<name>.<SHA-256>.<bytes>.tar``. So one listing
tells what there is and whether it is whole; what arrives is held against the digest in its name.
Two that put the same name there at once leave two bundles, of which either will do.
"""

import re
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_after_delay
from tenacity import wait_random_exponential as wait

from sidebyside import paths
from sidebyside.files import file_digest
from sidebyside.redaction import without_passwords
from sidebyside.storage.shared.archives import Content, pack, unpack
from sidebyside.storage.shared.interface import AbsentError, Objects, StoreError

T = TypeVar("T")

ARRIVING = ".arriving"  # in the run store: what is on its way, and what a kill has left of it
PATIENCE = 30.0  # seconds for which something that fails is tried again
_TRUSTED_AGAIN = 60.0  # seconds after a failure within which it is tried once
_DAY = 24 * 60 * 60  # seconds
_FILE = re.compile(r"(?P<name>.+)\.(?P<digest>[0-9a-f]{64})\.(?P<size>\d+)\.tar")


@dataclass(frozen=True)
class Bundle:
    """A bundle that a listing shows: a file whose size is the one in its name."""

    kind: str
    name: str
    digest: str
    size: int

    @property
    def file(self) -> str:
        """Its name among the store's files."""
        return f"{_folder(self.kind, self.name)}/{self.name}.{self.digest}.{self.size}.tar"


class SharedStore:
    """Bundles in a place that several machines reach.

    What fails is tried again for a while; a StoreError is raised where that doesn't help.

    Parameters
    ----------
    objects : Objects
        The place.
    patience : float, optional
        Seconds for which something that fails is tried again; `PATIENCE` if nothing else.
    """

    def __init__(self, objects: Objects, patience: float | None = None) -> None:
        self.objects = objects
        self._patience = PATIENCE if patience is None else patience
        self._failed: float | None = None

    @property
    def address(self) -> str:
        """The place, passwords hidden."""
        return self.objects.address

    def all(self, kind: str) -> list[Bundle]:
        """Return all whole bundles of a kind, by one listing."""
        return _whole(kind, self.ask(self.objects.sizes, kind))

    def find(self, kind: str, name: str) -> list[Bundle]:
        """Return whole bundles of this name, or that go on after it with a dash, by one look."""
        listed = self.ask(self.objects.sizes, _folder(kind, name))
        return [
            bundle
            for bundle in _whole(kind, listed)
            if bundle.name == name or bundle.name.startswith(f"{name}-")
        ]

    def put(self, kind: str, name: str, files: Mapping[str, Content]) -> bool:
        """Put a bundle there unless there is one of its name; return whether that was needed."""
        if any(bundle.name == name for bundle in self.find(kind, name)):
            return False
        with arriving() as folder:
            archive = folder / "archive"
            pack(files, archive)
            size = archive.stat().st_size
            bundle = Bundle(kind, name, str(file_digest(archive)), size)
            self.ask(self.objects.upload, archive, bundle.file)
        return True

    def get(self, bundle: Bundle, folder: Path) -> bool:
        """Write the files of a bundle to ``folder``; return whether they are what was put there.

        A damaged bundle is removed, so that the next one who has it puts it there again.
        """
        with TemporaryDirectory(dir=folder) as temporary:
            archive = Path(temporary) / "archive"
            for _ in range(2):  # as a transfer may go wrong and the bundle be sound
                try:
                    self.ask(self._download, bundle, archive)
                except AbsentError:  # removed since it was listed
                    return False
                if file_digest(archive) == bundle.digest and unpack(archive, folder):
                    return True
        print(f"warning: {bundle.file} in {self.address} is damaged and removed.", file=sys.stderr)
        self.remove(bundle)
        return False

    def remove(self, bundle: Bundle) -> None:
        """Remove a bundle, if it is there."""
        with suppress(AbsentError):
            self.ask(self.objects.remove, bundle.file)

    def ask(self, what: Callable[..., T], *arguments: object) -> T:
        """Return what a method of the place returns, trying again where it fails.

        Raises
        ------
        StoreError
            If it fails for too long.
        AbsentError
            If there is no such file.
        """
        once = self._failed is not None and time.monotonic() - self._failed < _TRUSTED_AGAIN
        attempts = Retrying(
            stop=stop_after_attempt(1) if once else stop_after_delay(self._patience),
            wait=wait(multiplier=0.2, max=5),
            retry=retry_if_exception(_may_pass),
            reraise=True,
        )
        try:
            answer = attempts(what, *arguments)
        except AbsentError:
            raise
        except Exception as error:  # each driver has errors of its own
            self._failed = time.monotonic()
            raise StoreError(
                f"{self.address} doesn't answer as it should ({_why(error)})"
            ) from None
        self._failed = None
        return answer

    def _download(self, bundle: Bundle, path: Path) -> None:
        self.objects.download(bundle.file, path)
        if (size := path.stat().st_size) != bundle.size:
            raise ConnectionError(f"{size} of {bundle.size} bytes arrived")


@contextmanager
def arriving() -> Iterator[Path]:
    """Give an empty folder of the run store, which is removed unless it is moved away."""
    folder = paths.runs() / ARRIVING / uuid.uuid4().hex
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def forget_cut() -> None:
    """Remove what a kill has left of transfers a day ago or more."""
    for path in (paths.runs() / ARRIVING).glob("*"):
        with suppress(FileNotFoundError):  # another process removes it as well
            if time.time() - path.stat().st_mtime > _DAY:
                shutil.rmtree(path, ignore_errors=True)


def _folder(kind: str, name: str) -> str:
    """Return where bundles are: some hundred folders, so that a look at one lists few."""
    return f"{kind}/{name[:2]}"


def _whole(kind: str, listed: Mapping[str, int]) -> list[Bundle]:
    bundles = []
    for path, size in sorted(listed.items()):
        matched = _FILE.fullmatch(path.rpartition("/")[2])
        if matched and int(matched["size"]) == size:
            bundles.append(Bundle(kind, matched["name"], matched["digest"], size))
    return bundles


def _may_pass(error: BaseException) -> bool:
    """Whether it may go better in a moment; what isn't there or isn't allowed stays so."""
    lasting = (AbsentError, PermissionError, ImportError)
    return isinstance(error, Exception) and not isinstance(error, lasting)


def _why(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    said = f": {without_passwords(lines[0])[:200]}" if lines else ""
    return f"{type(error).__name__}{said}"
