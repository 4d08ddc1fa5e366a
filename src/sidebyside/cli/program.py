"""How a command ends: with a sentence and an exit code for whoever started it."""

import atexit
import errno
import gc
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sidebyside import paths
from sidebyside.errors import INTERRUPTED, NO_ROOM, UserError, disk_is_full
from sidebyside.redaction import passwords_hidden

_AGAIN = 0.1  # seconds
_PIPE_CLOSED = 141  # as of a program that SIGPIPE ends
_OF_PATHS = (  # obstacles that another path hasn't
    errno.EEXIST,
    errno.EISDIR,
    errno.ENOTDIR,
    errno.EROFS,
    errno.ENAMETOOLONG,
)
_USAGE = 2  # the exit code for a mistake of the user's


def collect_seldom() -> None:
    """Look for garbage less often, and no more when the program ends: it would take a second."""
    gc.set_threshold(50_000, 20, 20)  # what is imported stays
    atexit.register(gc.freeze)


def make_interruptible() -> None:
    """Let SIGTERM end the program as Ctrl-C does, and Ctrl-C end it wherever it comes."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.unraisablehook = _interrupt_again


def _interrupt_again(unraisable: "sys.UnraisableHookArgs") -> None:
    """Repeat a Ctrl-C that has come while Python tidies up, where exceptions go no further."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        threading.Timer(_AGAIN, os.kill, [os.getpid(), signal.SIGINT]).start()
    else:
        sys.__unraisablehook__(unraisable)


@contextmanager
def user_errors_reported() -> Iterator[None]:
    """End the program with a sentence: exit code 2 for what the user can remove, 130 for Ctrl-C."""
    try:
        with passwords_hidden():
            yield
    except KeyboardInterrupt:
        print(
            "\nInterrupted: what is finished is kept. The same command again goes on.",
            file=sys.stderr,
        )
        raise SystemExit(INTERRUPTED) from None
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(_USAGE) from None
    except PermissionError as error:
        print(f"error: No permission for {error.filename}: {_remedy(error)}.", file=sys.stderr)
        raise SystemExit(_USAGE) from None
    except BrokenPipeError:
        if not _nobody_reads():
            raise
        raise SystemExit(_PIPE_CLOSED) from None
    except Exception as error:
        if disk_is_full(error):
            said = f"{NO_ROOM} The run store is in {paths.home()}."
        elif isinstance(error, OSError) and error.errno in _OF_PATHS and error.filename:
            named = error.filename2 or error.filename
            said = f"{named} won't do ({error.strerror}): choose another path."
        else:
            raise
        print(f"error: {said}", file=sys.stderr)
        raise SystemExit(_USAGE) from None
    finally:
        _flush()


def _remedy(error: PermissionError) -> str:
    """Return what helps where there is no permission: another home, where that is what it is of."""
    remedy = "change the permissions there"
    if error.filename and paths.home() in Path(os.fsdecode(error.filename)).absolute().parents:
        return f"{remedy}, or set SIDEBYSIDE_HOME to a folder of yours"
    return f"{remedy}, or choose another path"


def _nobody_reads() -> bool:
    """Whether what is printed goes nowhere any more, as to `head`."""
    poll = select.poll()
    poll.register(1, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _flush() -> None:
    """Print what is left, to nobody where nobody reads: Python would complain at its end."""
    try:
        if sys.stdout is not None:  # as it is where it was closed
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
