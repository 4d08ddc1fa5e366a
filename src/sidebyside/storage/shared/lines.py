"""Lines of the journal that concern one run, which go with it to other machines."""

import json
from contextlib import suppress
from functools import cache
from pathlib import Path

from filelock import FileLock

from sidebyside import paths
from sidebyside.storage import journal

FILE = "journal.json"  # in a bundle


def concerning(key: str) -> bytes:
    """Return the journal's lines on this run's training and looks by it, as `adopt` takes them.

    Of what a launch has decided on, that it was this run and when: the others of the launch say so
    themselves.
    """
    path = paths.runs() / journal.FILE
    text = path.read_text(errors="replace") if path.is_file() else ""
    alone, named, launched = f'"keys": {json.dumps([key])}', json.dumps(key), '{"event": "launched"'
    concerning = []
    for line in text.split("\n"):
        if line.startswith(launched) and named in line:
            with suppress(ValueError):  # a kill has cut it
                concerning.append(json.dumps(json.loads(line) | {"keys": [key]}))
        elif alone in line:
            concerning.append(line)
    return json.dumps(concerning).encode()


def adopt(folder: Path) -> None:
    """Append the lines in a bundle's folder that the journal here hasn't got, and remove the file.

    Each line arrives once, however often its run does. Those of the bundle keep their order.
    """
    bundled = folder / FILE
    lines = json.loads(bundled.read_text())
    runs = paths.runs()
    runs.mkdir(parents=True, exist_ok=True)
    with FileLock(runs / ".journal.lock"):
        known = _known(runs / journal.FILE)
        known.read()
        journal.append([line for line in lines if line not in known.lines])
    bundled.unlink()


class _Known:
    """The lines of a journal, read no more than once as it grows."""

    def __init__(self, path: Path) -> None:
        self.lines: set[str] = set()
        self._path = path
        self._file = self._read = 0
        self._rest = ""

    def read(self) -> None:
        """Read what has been added."""
        if not self._path.is_file():
            return
        about = self._path.stat()
        if about.st_ino != self._file or about.st_size < self._read:  # another one in its place
            self.lines, self._read, self._rest = set(), 0, ""
        self._file = about.st_ino
        with self._path.open("rb") as file:
            file.seek(self._read)
            added = file.read()
        self._read += len(added)
        *whole, self._rest = (self._rest + added.decode(errors="replace")).split("\n")
        self.lines.update(whole)
        self.lines.add(self._rest)  # the last line may have no line break after it


_known = cache(_Known)
