"""The journal of the run store: launches, trainings and looks at the test set, in their order.

``runs/journal.jsonl`` only grows, by a line of JSON for each entry. What counts is the order of
the lines; the time in them is for people, as a clock can be set back. A look is any opening of a
dataset's test images or labels by way of `sidebyside.data.arrays`; what is read from evidence or
results was looked at when those were made.
"""

import errno
import fcntl
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from sidebyside import paths
from sidebyside.errors import UserError

FILE = "journal.jsonl"
VALIDATION = "validation while training"  # a purpose of looks
Event = Literal["launched", "begun", "finished", "look"]


@dataclass(frozen=True)
class Entry:
    """A line of the journal.

    Attributes
    ----------
    event : str
        "launched": its runs were decided on, all at once; "begun", "finished": their training;
        "look": their test error, or the test images themselves, were there to be seen.
    dataset : str
    keys : list of str
        Run keys; empty for a look that concerns no run.
    by : str
        The command or the purpose.
    time : str
        ISO 8601, in UTC.
    """

    event: Event
    dataset: str
    keys: list[str]
    by: str
    time: str


@dataclass
class _Purpose:
    """What looks are for, and the datasets whose test set was looked at for that."""

    by: str
    keys: list[str]
    seen: set[str] = field(default_factory=set)


_purpose: ContextVar[_Purpose | None] = ContextVar("_purpose", default=None)


def record(event: Event, dataset: str, keys: Sequence[str], by: str) -> None:
    """Add an entry, on the disk when this returns.

    Raises
    ------
    UserError
        If the journal can't be written.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    line = json.dumps(asdict(Entry(event, dataset, list(keys), by, now)))
    append([line])


def append(lines: Sequence[str]) -> None:
    """Add lines that `record` has made, here or on another machine, see there."""
    path = paths.runs() / FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for line in lines:
            _append(path, line)
    except OSError as error:
        raise UserError(
            f"Can't write {path} ({error.strerror}), where every look at test images is recorded: "
            "change the permissions there, make room, or set SIDEBYSIDE_HOME to a folder of yours."
        ) from None


def _append(path: Path, line: str) -> None:
    """Append a line to a file of whole lines, which it is again where a kill has cut the last."""
    with _held(path) as descriptor:
        _cut_what_is_torn(descriptor)
        content, size = f"{line}\n".encode(), os.fstat(descriptor).st_size
        if os.write(descriptor, content) != len(content):
            os.ftruncate(descriptor, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        os.fsync(descriptor)


@contextmanager
def _held(path: Path) -> Iterator[int]:
    """Give the file's descriptor, held against others who write; a kill releases it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_ino != path.stat().st_ino:
                continue  # another one was put in its place while this one waited
            if os.pread(descriptor, 1, 0) == b"\n":
                _rewrite(path)
                continue
            yield descriptor
            return
        finally:
            os.close(descriptor)


def _cut_what_is_torn(descriptor: int) -> None:
    size = os.fstat(descriptor).st_size
    if not size or os.pread(descriptor, 1, size - 1) == b"\n":
        return
    content = os.pread(descriptor, size, 0)
    whole = content.rfind(b"\n") + 1
    if _entry(content[whole:].decode(errors="replace")):
        os.write(descriptor, b"\n")
    else:
        os.ftruncate(descriptor, whole)


def _rewrite(path: Path) -> None:
    """Make strict JSON Lines of a journal of before version 0.2, whose line breaks came first."""
    lines = [line for line in path.read_text(errors="replace").split("\n") if _entry(line)]
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with unfinished.open("w") as file:
        file.writelines(f"{line}\n" for line in lines)
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, path)


@contextmanager
def looking(by: str, keys: Sequence[str] = ()) -> Iterator[None]:
    """Say what looks at the test set are for meanwhile; together they are one entry by dataset."""
    token = _purpose.set(_Purpose(by, list(keys)))
    try:
        yield
    finally:
        _purpose.reset(token)


def record_look(dataset: str) -> None:
    """Record that a dataset's test images or labels are about to be read.

    Whoever hasn't said what for (`looking`) is recorded by the name of the program.
    """
    purpose = _purpose.get() or _Purpose(Path(sys.argv[0]).name or "python", [])
    if dataset not in purpose.seen:
        record("look", dataset, purpose.keys, purpose.by)
        purpose.seen.add(dataset)


def entries() -> list[Entry]:
    """Return the journal in order, without lines that a kill has cut."""
    path = paths.runs() / FILE
    lines = path.read_text(errors="replace").split("\n") if path.is_file() else []
    return [entry for line in lines if (entry := _entry(line))]


def _entry(line: str) -> Entry | None:
    try:
        return Entry(**json.loads(line))
    except (ValueError, TypeError):
        return None
