"""The journal of the run store: launches, trainings and looks at the test set, in their order.

``runs/journal.jsonl`` only grows, a line for each entry. What counts is the order of the lines; the
time in them is for people, as a clock can be set back. A look is any opening of a dataset's test
images or labels by way of `sidebyside.data.arrays`; what is read from evidence or results was
looked at when those were made.
"""

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
    """Append a line in one write, so that others who write at once stay whole.

    On a local disk, that is; NFS has no such writes. The line break comes first: a line that a kill
    has cut spoils none after it.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, f"\n{line}".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
