"""A Hydra multirun: the same runs in the run store, in MLflow and in the table."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import psutil
import pytest

from conftest import TINY, environment
from sidebyside.files import read_json

GRID = ("model.kernel_size=3,5", "optimizer=adam,sgd", "seed=0,1")


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


@pytest.fixture(scope="module")
def swept(project, tmp_path_factory):
    """A finished multirun of eight runs, its home and what it printed."""
    home = tmp_path_factory.mktemp("swept")
    return home, sweep(project, home, *GRID)


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


def test_eight_runs_end_in_one_table_sorted_by_error(swept):
    home, done = swept
    assert done.returncode == 0, done.stderr
    assert len(keys_in(home)) == 8
    table = done.stdout.split("Variants by mean")[0]
    errors = [float(line.split("│")[4]) for line in table.splitlines() if line.startswith("│")]
    assert len(errors) == 8
    assert errors == sorted(errors)


def test_progress_counts_the_runs(swept):
    _, done = swept
    assert "0/8 runs" in done.stderr
    assert "8/8 runs" in done.stderr
    assert re.search(r"about \d+:\d\d:\d\d left", done.stderr)


def test_mlflow_has_the_same_runs_under_one_parent(swept):
    home, _ = swept
    runs, parents = runs_of(home), parents_of(home)
    assert set(runs["tags.run_key"]) == keys_in(home)
    assert set(runs["status"]) == {"FINISHED"}
    assert len(parents) == 1
    assert set(runs["tags.mlflow.parentRunId"]) == set(parents["run_id"])
    for column in ("kernel_size", "dropout", "optimizer", "data_format", "seed", "protocol"):
        assert runs[f"params.{column}"].notna().all()
    assert (runs["metrics.test_error"] > 0).all()
    assert (runs["metrics.parameters"].astype(int).astype(str) == runs["params.parameters"]).all()


def test_the_same_sweep_again_trains_nothing(project, swept):
    home, first = swept
    before = {key: (home / "runs" / key / "timing.json").read_text() for key in keys_in(home)}
    again = sweep(project, home, *GRID)
    assert again.returncode == 0, again.stderr
    after = {key: (home / "runs" / key / "timing.json").read_text() for key in keys_in(home)}
    assert after == before
    assert again.stdout == first.stdout
    assert len(runs_of(home)) == 8


def test_a_new_level_trains_only_the_new_runs(project, swept):
    home, _ = swept
    before = keys_in(home)
    more = sweep(project, home, "model.kernel_size=3,5,7", "optimizer=adam", "seed=0")
    assert more.returncode == 0, more.stderr
    assert len(keys_in(home) - before) == 1


def test_a_retrained_sweep_keeps_every_bit(project, swept):
    home, _ = swept
    done = sweep(project, home, "optimizer=adam,sgd", SIDEBYSIDE_RETRAIN="1")
    assert done.returncode == 0, done.stderr
    roles = runs_of(home).filter(like="tags.launch.").stack().tolist()
    assert roles.count("retrained") == 2


def test_a_worker_that_is_killed_fails_alone(project, tmp_path):
    command = ["optimizer=adam,sgd", "seed=0,1", "training.epochs=10"]
    with started(project, tmp_path, *command, "hydra.launcher.workers=2") as process:
        os.kill(wait_for_training(process), signal.SIGKILL)
        output, errors = process.communicate(timeout=240)
    assert process.returncode == 1, errors
    assert "1 runs failed" in output
    assert "SIGKILL" in output
    assert len(keys_in(tmp_path)) == 3
    runs = runs_of(tmp_path)
    assert sorted(runs["status"]) == ["FAILED"] + ["FINISHED"] * 3
    kept = {key: (tmp_path / "runs" / key / "timing.json").read_text() for key in keys_in(tmp_path)}
    again = sweep(project, tmp_path, *command)
    assert again.returncode == 0, again.stderr
    assert len(keys_in(tmp_path)) == 4
    for key, timing in kept.items():
        assert (tmp_path / "runs" / key / "timing.json").read_text() == timing
    runs = runs_of(tmp_path)
    assert list(runs["status"]) == ["FINISHED"] * 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sweep_keeps_what_is_finished(project, tmp_path, number):
    # One run that never ends and one that does soon, so that both kinds are there at the signal.
    command = ["training.epochs=1000000,2", "hydra.launcher.workers=2"]
    with started(project, tmp_path, *command) as process:
        wait_until(lambda: any((tmp_path / "runs" / ".unfinished").glob("*/progress.json")))
        wait_until(lambda: set(runs_of(tmp_path)["status"]) == {"FINISHED", "RUNNING"})
        workers = psutil.Process(process.pid).children(recursive=True)
        began = time.monotonic()
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert time.monotonic() - began < 30  # two seconds where nothing else runs
    assert process.returncode == 130, errors
    assert "The same command again goes on" in errors
    assert "Traceback" not in errors
    assert not psutil.wait_procs(workers, timeout=10)[1]
    finished = keys_in(tmp_path)
    assert finished
    runs = runs_of(tmp_path)
    assert set(runs["status"]) == {"FINISHED", "KILLED"}
    # One that was killed between its last epoch and its evaluation is published by the relaunch.
    assert set(runs[runs["status"] == "FINISHED"]["tags.run_key"]) <= finished
    assert list(parents_of(tmp_path)["status"]) == ["KILLED"]


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
