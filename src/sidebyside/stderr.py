"""What goes to stderr: how far long work is, and none of TensorFlow's greetings."""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

_FIRST, _EVERY = 2.0, 10.0  # seconds until, and between, words on how far it is


@contextmanager
def greetings_hidden() -> Iterator[None]:
    """Discard what the process writes to file descriptor 2 meanwhile.

    TensorFlow's C++ libraries write a page about optional hardware when they are imported, before
    any of their own switches for log levels are read. Python exceptions aren't affected.
    """
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


def told(things: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Pass things on, and say from time to time how many of them are done if it takes long.

    ``what`` is said of them, e.g. "configs composed". Where something was said, so is the end.
    """
    began = time.monotonic()
    due = began + _FIRST
    for count, thing in enumerate(things):
        if time.monotonic() >= due:
            print(f"{count} of {total} {what}", file=sys.stderr, flush=True)
            due = time.monotonic() + _EVERY
        yield thing
    if due > began + _FIRST:
        print(f"{total} of {total} {what}", file=sys.stderr, flush=True)
