"""What is the user's to read, and to remove."""

import errno
import os

_FULL = (errno.ENOSPC, errno.EDQUOT)
# HDF5 and SQLite, the latter through MLflow, raise errors of their own that only say it in words.
_FULL_WORDS = ("database or disk is full", *(os.strerror(number) for number in _FULL))

INTERRUPTED = 130  # the shell's exit code for Ctrl-C
NO_ROOM = (
    "No space is left on a disk: make room, then give the same command again. It goes on with what "
    "is finished, and after the last epoch that was kept."
)


class UserError(Exception):
    """A mistake or an obstacle that the user can remove.

    The message is complete: it names the value, what is allowed and how to go on. Commands print
    it alone, without a traceback, and exit with 2.
    """


def disk_is_full(error: BaseException) -> bool:
    """Whether an error, or the one that led to it, comes from a disk or a quota that is full."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    if any(words in str(error) for words in _FULL_WORDS):
        return True
    before = error.__cause__ or error.__context__
    return before is not None and disk_is_full(before)
