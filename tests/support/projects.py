"""A copy of the project in a temporary folder, and the environment of what runs there."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2]
PARTS = ("conf", "pipelines", "src", "dvc.yaml", "params.yaml", ".dvcignore", ".gitignore")

# Small enough to train in a second or two, with everything a bigger network has.
TINY = (
    "model.blocks=[{type:conv,filters:4},{type:pool},{type:dropout,rate:0.25},{type:flatten},"
    "{type:dense,units:16}]",
    "training.epochs=1",
)

# What a developer's shell or MLflow itself (set_tracking_uri) may have left in the environment.
FOREIGN = (
    "SIDEBYSIDE_MIRROR",
    "SIDEBYSIDE_RETRAIN",
    "SIDEBYSIDE_STORE",
    "MLFLOW_TRACKING_URI",
    "DVC_ROOT",
)


def copy_project(destination: Path) -> Path:
    """Copy what the scripts need to a folder without state."""
    destination.mkdir(parents=True, exist_ok=True)
    ignored = shutil.ignore_patterns("__pycache__")
    for name in PARTS:
        if (SOURCE / name).is_dir():
            shutil.copytree(SOURCE / name, destination / name, ignore=ignored)
        else:
            shutil.copy(SOURCE / name, destination / name)
    return destination


@contextmanager
def in_place(project: Path, home: Path) -> Iterator[None]:
    """Let this process use a project and a home, as a fixture that outlives a test does."""
    with pytest.MonkeyPatch.context() as patch:
        for name in FOREIGN:  # which an earlier module of this process may have left
            patch.delenv(name, raising=False)
        patch.setenv("SIDEBYSIDE_ROOT", str(project))
        patch.setenv("SIDEBYSIDE_HOME", str(home))
        yield


def environment(project: Path, home: Path, **more: str) -> dict[str, str]:
    """Return an environment for the scripts: this interpreter first on the PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    named = {"PATH": path, "SIDEBYSIDE_ROOT": str(project), "SIDEBYSIDE_HOME": str(home)}
    own = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return own | named | more
