"""A sign for others on this machine that a tracking store is being waited for."""

import os
import time

from sidebyside import paths

_FRESH = 15  # seconds; whoever waits renews the sign more often


def waits() -> None:
    """Let others know that this process waits."""
    paths.home().joinpath(".tracking.waiting").touch()


def answered() -> None:
    """Take the sign away."""
    paths.home().joinpath(".tracking.waiting").unlink(missing_ok=True)


def is_waiting() -> bool:
    """Whether a process of this machine has just been waiting."""
    try:
        renewed = os.stat(paths.home() / ".tracking.waiting").st_mtime
    except OSError:
        return False
    return abs(time.time() - renewed) < _FRESH
