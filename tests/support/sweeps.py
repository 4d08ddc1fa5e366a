"""Multiruns of tiny networks, and looks at what they leave."""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import mlflow

from sidebyside.files import read_json
from support.processes import run, run_here, start
from support.projects import TINY

TWO = ("seed=0,1", "training.epochs=12")  # a sweep of two runs, long enough to be met by faults


def runs_of(home: Path):
    """Return MLflow's runs at ``home`` that have a run key."""
    return runs_at(f"sqlite:///{home / 'mlflow.db'}")


def runs_at(uri: str):
    """Return the runs of a tracking store that have a run key."""
    mlflow.set_tracking_uri(uri)
    runs = mlflow.search_runs(experiment_names=["sidebyside"])
    return runs[runs["tags.run_key"].notna()] if "tags.run_key" in runs else runs[:0]


def parents_of(home: Path):
    """Return MLflow's parent runs at ``home``."""
    mlflow.set_tracking_uri(f"sqlite:///{home / 'mlflow.db'}")
    runs = mlflow.search_runs(experiment_names=["sidebyside"])
    return runs[runs["tags.level"] == "parent"]


def variants_of(home: Path):
    """Return MLflow's runs of variants at ``home``."""
    mlflow.set_tracking_uri(f"sqlite:///{home / 'mlflow.db'}")
    runs = mlflow.search_runs(experiment_names=["sidebyside"])
    return runs[runs["tags.level"] == "variant"]


def keys_in(home: Path) -> set[str]:
    """Return the keys of the finished runs in the run store."""
    return {path.parent.name for path in (home / "runs").glob("*/run.json")}


def digests(home: Path) -> dict[str, str]:
    """Return the weights digest of each finished run, by its key."""
    cards = {key: read_json(home / "runs" / key / "run.json") for key in keys_in(home)}
    return {key: card["weights_digest"] for key, card in cards.items()}


def are_done(home: Path, epochs: int) -> bool:
    """Whether some run that is being trained has so many epochs done."""
    progress = (home / "runs" / ".unfinished").glob("*/progress.json")
    with contextlib.suppress(FileNotFoundError):
        return any(read_json(path)["epochs_done"] >= epochs for path in progress)
    return False


def has_checkpoint(unfinished: Path, epoch: int) -> bool:
    """Whether a run in the folder ``unfinished`` has a checkpoint of an epoch or a later one.

    Older ones are removed, so whoever looks may not see each.
    """
    saved = unfinished.glob("*/checkpoints/epoch-*.json")
    return any(path.stem >= f"epoch-{epoch:06d}" for path in saved)


def sweep(project, home, *arguments, **more):
    """Run a multirun of tiny networks."""
    return run(_command(project, arguments), project, home, **more)


def sweep_here(project, home, *arguments, **more):
    """Run a multirun of tiny networks in this process, see `support.processes.run_here`."""
    return run_here(_command(project, arguments), project, home, **more)


def started(project, home, *arguments):
    """Start a multirun of tiny networks and go on."""
    return start(_command(project, arguments), project, home)


def _command(project, arguments):
    return [sys.executable, str(project / "pipelines" / "train.py"), "-m", *TINY, *arguments]


def wait_for_training(process, home: Path) -> int:
    """Return the process id of a worker of a multirun with most of its training before it."""
    workers: list[int] = []
    unfinished = home / "runs" / ".unfinished"

    def early() -> set[str]:
        """Return the keys of the runs that have at most six epochs done."""
        found = set()
        for path in unfinished.glob("*/progress.json"):
            with contextlib.suppress(FileNotFoundError):  # its run ends in this moment
                if read_json(path)["epochs_done"] <= 6:
                    found.add(path.parent.name)
        return found

    def look() -> bool:
        assert process.poll() is None, process.communicate()
        if not early():
            return False
        runs = runs_of(home).set_index("tags.run_key")
        # Asking MLflow takes a while, so look again at how far they are.
        workers.extend(
            int(runs.loc[key, "tags.mlflow.process.id"]) for key in early() & set(runs.index)
        )
        return bool(workers)

    wait_until(lambda: process.poll() is not None or any(unfinished.glob("*")))
    runs_of(home)  # the first time takes longer than some epochs
    wait_until(look)
    return workers[0]


def wait_until(holds, seconds: float = 300, pause: float = 0.05, process=None) -> None:
    """Wait until ``holds()`` is true, which is asked every ``pause`` seconds.

    Where that depends on a ``process`` that was started, an end of it ends the wait as well, and
    a test that fails tells what it had to say.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        if process is not None and process.poll() is not None:
            assert holds(), f"it has ended: {process.communicate()}"
            return
        assert time.monotonic() < deadline, f"waited too long{_said(process)}"
        time.sleep(pause)


def _said(process) -> str:
    """Return what a process has printed that has taken too long, which is killed for it."""
    if process is None:
        return ""
    os.killpg(process.pid, signal.SIGKILL)
    return f": {process.communicate(timeout=60)}"
