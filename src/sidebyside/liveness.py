"""Whether the process that opened an MLflow run still lives."""

import os
import socket

import psutil

_HOST = "process.host"
_PID = "process.id"
_STARTED = "process.started"


def this_process() -> dict[str, str]:
    """Return tags that tell this process from every other one."""
    started = psutil.Process().create_time()
    return {_HOST: socket.gethostname(), _PID: str(os.getpid()), _STARTED: f"{started:.2f}"}


def is_alive(tags: dict[str, str]) -> bool:
    """Whether the process named by ``tags`` may live: one of another machine always may."""
    if tags.get(_HOST) != socket.gethostname():
        return True
    try:
        process = psutil.Process(int(tags[_PID]))
        # A number is given again after a while, so the time of the start has to fit as well.
        same = f"{process.create_time():.2f}" == tags[_STARTED]
        return same and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, KeyError, ValueError):
        return False
