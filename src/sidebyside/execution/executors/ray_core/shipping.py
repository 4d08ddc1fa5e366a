"""The code that nodes of a cluster need: this project's, as it is now."""

import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sidebyside import paths
from sidebyside.execution.executors.ray_core.actor import Driver

_PACKAGE = Path(paths.__file__).parent
# Numeric libraries read these when they are imported, which Ray does before a worker is asked.
_EARLY = {"OPENBLAS_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}
_TAKEN_OVER = ("AWS_", "GOOGLE_", "MLFLOW_", "SIDEBYSIDE_", "TF_")  # prefixes
_OF_A_PLACE = ("SIDEBYSIDE_HOME", "SIDEBYSIDE_ROOT", "SIDEBYSIDE_GPUS")
_STATE = ("data", "runs", "results", "reports", "outputs", "mlartifacts", "mlruns", "src", "tests")


@contextmanager
def told(is_local: bool) -> Iterator[Driver]:
    """Hold what workers are to know of this process; the probe is there as long.

    The variables may hold passwords. Ray shows its own list of them on the dashboard, so they go
    another way.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(_TAKEN_OVER) and name not in _OF_A_PLACE
    }
    probe = paths.runs() / f".nodes-{uuid.uuid4().hex}"
    probe.parent.mkdir(parents=True, exist_ok=True)
    probe.touch()
    try:
        yield Driver(paths.root(), paths.home(), probe.name, environment, is_local)
    finally:
        probe.unlink(missing_ok=True)


def local_environment() -> dict[str, Any]:
    """Return Ray's ``runtime_env`` for workers of this machine, which import what this process can.

    They inherit all else.
    """
    folders = [str(_PACKAGE.parent), *filter(None, sys.path)]
    return {"env_vars": {**_EARLY, "PYTHONPATH": os.pathsep.join(dict.fromkeys(folders))}}


@contextmanager
def shipped_environment() -> Iterator[dict[str, Any]]:
    """Hold Ray's ``runtime_env`` for nodes that have the packages, but not this project.

    Its code is in a folder that is there until Ray has got it: the package, ``conf/`` and the
    modules beside it, models of one's own among them.
    """
    with TemporaryDirectory(prefix="sidebyside-") as folder:
        _copy(Path(folder))
        # Relative to where Ray unpacks the folder, in which it starts the workers.
        yield {"working_dir": folder, "env_vars": {**_EARLY, "PYTHONPATH": "src"}}


def _copy(destination: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(_PACKAGE, destination / "src" / "sidebyside", ignore=ignored)
    for conf in reversed(paths.conf_folders()):  # the project's files over the library's
        shutil.copytree(conf, destination / "conf", ignore=ignored, dirs_exist_ok=True)
    for path in paths.root().iterdir():
        if path.name.startswith(".") or path.name in (*_STATE, "conf"):
            continue
        if path.suffix == ".py" or path.name == "params.yaml":
            shutil.copy(path, destination)
        elif path.is_dir() and any(path.glob("*.py")):
            shutil.copytree(path, destination / path.name, ignore=ignored)
