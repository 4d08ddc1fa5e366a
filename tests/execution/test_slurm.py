"""Jobs of a real Slurm of one node: what they return, how they die, and who starts them again."""

import os
import signal
import subprocess
import time
from functools import partial

import pytest

from sidebyside.config.launchers import Slurm
from sidebyside.errors import UserError
from sidebyside.execution.executors.interface import WorkerDiedError
from sidebyside.execution.executors.slurm import SlurmExecutor
from sidebyside.execution.executors.tasks import Task
from support.slurm import running_slurm
from support.sweeps import wait_until

pytestmark = pytest.mark.slow  # a job takes seconds to start, to end and to be missed


@pytest.fixture(scope="module", autouse=True)
def _slurm():
    with running_slurm():
        yield


@pytest.fixture
def slurm(tmp_path):
    """A function that makes an executor."""

    def make(**settings):
        common = {"engine": "slurm", "memory": 500, "folder": str(tmp_path / "shared")}
        return SlurmExecutor(Slurm(**common | settings))

    return make


@pytest.fixture
def task(tmp_path):
    """A function that makes a task."""

    def make(call, **settings):
        return Task(call, tmp_path / "log.txt", **settings)

    return make


def jobs():
    """Return the states of all jobs by id."""
    said = subprocess.run(
        ["squeue", "-t", "all", "-r", "-h", "-o", "%i %T"], capture_output=True, text=True
    ).stdout
    return dict(line.split() for line in said.splitlines())


def running():
    return [job for job, state in jobs().items() if state == "RUNNING"]


def fails():
    raise ValueError("no such level")


def job_of_this():
    return os.environ["SLURM_JOB_ID"]


def dies(times, folder):
    """Kill the job's process the first ``times`` times."""
    begun = len(list(folder.glob("died-*")))
    if begun < times:
        (folder / f"died-{begun}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "lives"


def stays(folder):
    """Stay until there is a file ``go``, and say how often it was begun."""
    (folder / f"begun-{time.time_ns()}").touch()
    while not (folder / "go").exists():
        time.sleep(0.05)
    return len(list(folder.glob("begun-*")))


def test_results_come_as_they_end_and_a_failing_task_is_one(slurm, task, tmp_path):
    calls = [partial(stays, tmp_path), fails, lambda: print("hello") or 6 * 7, job_of_this]
    graphs = "abcc"
    tasks = [task(call, graph=graph) for call, graph in zip(calls, graphs, strict=True)]
    results = {}
    for number, outcome in slurm().run(tasks):
        results[number] = outcome
        if len(results) == 3:
            assert 0 not in results
            (tmp_path / "go").touch()
    assert results[0] == 1
    assert isinstance(results[1], ValueError)
    assert str(results[1]) == "no such level"
    assert results[2] == 42
    assert "hello\n" in (tmp_path / "log.txt").read_text()


def test_who_dies_is_started_again_once_and_takes_no_other_with_it(slurm, task, tmp_path):
    once, always = tmp_path / "once", tmp_path / "always"
    once.mkdir()
    always.mkdir()
    calls = [job_of_this, partial(dies, 1, once), partial(dies, 9, always), job_of_this]
    results = dict(slurm(chunk=4).run([task(call) for call in calls]))
    assert results[1] == "lives"
    assert isinstance(results[2], WorkerDiedError)
    assert str(results[2]).startswith("its job failed (FAILED): ")
    assert len(list(always.iterdir())) == 2
    assert results[0] != results[3]
