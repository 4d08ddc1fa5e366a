"""Which processes still live: the one that opened an MLflow run, the DVC that runs this one."""

import os
import signal
import socket
import threading
from collections.abc import Mapping
from pathlib import Path

import psutil

_HOST = "process.host"
_PID = "process.id"
_STARTED = "process.started"  # seconds since the machine was
_HIDDEN = "mlflow."  # tags that the UI offers nobody to group by begin with it
_SAME_START = 2  # seconds that two looks at one start may differ: the boot is known to the second


def this_process() -> dict[str, str]:
    """Return tags that tell this process from every other one."""
    started = _since_boot(psutil.Process())
    return {_HOST: socket.gethostname(), _PID: str(os.getpid()), _STARTED: f"{started:.2f}"}


def process_tags() -> dict[str, str]:
    """Return `this_process` as tags of an MLflow run."""
    return {f"{_HIDDEN}{name}": value for name, value in this_process().items()}


def process_of(tags: Mapping[str, str]) -> dict[str, str]:
    """Return what `this_process` returned in the process that opened an MLflow run."""
    named = {name.removeprefix(_HIDDEN): value for name, value in tags.items()}
    return {name: named[name] for name in (_HOST, _PID, _STARTED) if name in named}


def is_elsewhere(tags: dict[str, str]) -> bool:
    """Whether ``tags`` name a process of another machine."""
    return tags.get(_HOST) != socket.gethostname()


def here() -> str:
    """Return MLflow's filter for runs that processes of this machine opened."""
    return f"tags.`{_HIDDEN}{_HOST}` = '{socket.gethostname()}'"


def is_alive(tags: dict[str, str]) -> bool:
    """Whether the process named by ``tags`` may live: one of another machine always may."""
    if is_elsewhere(tags):
        return True
    try:
        process = psutil.Process(int(tags[_PID]))
        # A number is given again after a while, so the time of the start has to fit as well.
        same = abs(_since_boot(process) - float(tags[_STARTED])) < _SAME_START
        return same and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, KeyError, ValueError):
        return False


def end_with_dvc() -> None:
    """Let a stage that DVC runs end as by SIGTERM when DVC is killed.

    It would go on else, beside the one that the next ``dvc repro`` starts.
    """
    if "DVC_STAGE" not in os.environ:
        return
    shell = Path(os.environ.get("SHELL") or "/bin/sh").name  # DVC starts stages through it
    dvc = next((parent for parent in psutil.Process().parents() if parent.name() != shell), None)
    if dvc is not None:
        threading.Thread(target=_end_after, args=[dvc], daemon=True).start()


def _end_after(process: psutil.Process) -> None:
    process.wait()
    os.kill(os.getpid(), signal.SIGTERM)


def _since_boot(process: psutil.Process) -> float:
    """Return when a process was started, in a measure that setting the clock doesn't change."""
    return float(process.create_time() - psutil.boot_time())
