"""TensorFlow's greetings, kept off the terminal."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


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
