"""Multiruns of tiny networks, and looks at what they leave."""

import subprocess
import sys
import time
from pathlib import Path

import mlflow
import psutil

from conftest import TINY, environment
from sidebyside.files import read_json


def runs_of(home: Path):
    """Return MLflow's runs at ``home`` that have a run key."""
    mlflow.set_tracking_uri(f"sqlite:///{home / 'mlflow.db'}")
    found = mlflow.search_runs(experiment_names=["sidebyside"])
    return found[found["tags.run_key"].notna()] if "tags.run_key" in found else found[:0]


def parents_of(home: Path):
    """Return MLflow's parent runs at ``home``."""
    mlflow.set_tracking_uri(f"sqlite:///{home / 'mlflow.db'}")
    found = mlflow.search_runs(experiment_names=["sidebyside"])
    return found[found["tags.level"] == "parent"]


def keys_in(home: Path) -> set[str]:
    """Return the keys of the finished runs in the run store."""
    return {path.parent.name for path in (home / "runs").glob("*/run.json")}


def sweep(project, home, *arguments, **more):
    """Run a multirun of tiny networks."""
    command = [sys.executable, str(project / "pipelines" / "train.py"), "-m", *TINY, *arguments]
    return subprocess.run(
        command,
        env=environment(project, home, **more),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def started(project, home, *arguments):
    """Start a multirun of tiny networks and go on."""
    command = [sys.executable, str(project / "pipelines" / "train.py"), "-m", *TINY, *arguments]
    return subprocess.Popen(
        command,
        env=environment(project, home),
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_training(process) -> int:
    """Return the process id of a worker with most of its training before it."""
    home = Path(psutil.Process(process.pid).environ()["SIDEBYSIDE_HOME"])
    found: list[int] = []

    def early() -> set[str]:
        """Return the keys of the runs that have at most three epochs done."""
        progress = (home / "runs" / ".unfinished").glob("*/progress.json")
        return {path.parent.name for path in progress if read_json(path)["epochs_done"] <= 3}

    def look() -> bool:
        assert process.poll() is None, process.communicate()
        if not early():
            return False
        runs = runs_of(home).set_index("tags.run_key")
        # Asking MLflow takes a while, so look again at how far they are.
        found.extend(int(runs.loc[key, "tags.process.id"]) for key in early() & set(runs.index))
        return bool(found)

    wait_until(look)
    return found[0]


def wait_until(holds, seconds: float = 120) -> None:
    """Wait until ``holds()`` is true."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)
