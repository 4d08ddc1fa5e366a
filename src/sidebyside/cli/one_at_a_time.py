"""One command at a time: python -m sidebyside.cli.one_at_a_time LOCK COMMAND [ARGUMENT ...]."""

import fcntl
import os
import signal
import sys
from pathlib import Path


def main() -> None:
    """Wait for the lock file named first, then become the command that holds it.

    The lock is the process's: it is released however the process ends.
    """
    lock, *command = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing to clean up, so nothing to say
    Path(lock).parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"Waiting for another {' '.join(command)} in this folder to end.", file=sys.stderr)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.set_inheritable(descriptor, True)
    os.execvp(command[0], command)  # noqa: S606 - what the Makefile says


if __name__ == "__main__":
    main()
