"""Training on a GPU, as far as a machine without one can show it."""

import os
import sys
from functools import partial

import pytest

import sidebyside as sbs
from sidebyside.engine.training import determinism
from sidebyside.environment import has_gpu
from sidebyside.execution.executors.local import LocalExecutor
from sidebyside.execution.executors.tasks import Task
from sidebyside.execution.executors.worker import PRELOADED
from sidebyside.execution.jobs import Job, plan
from sidebyside.execution.planned import task_of
from sidebyside.execution.study import run_grid
from sidebyside.storage import keys
from sidebyside.storage.results import StudyRun
from support.cards import CARD
from support.executors import InThisProcess
from support.processes import run
from support.projects import TINY, copy_project

pytestmark = pytest.mark.slow  # each starts processes that import TensorFlow

HIDDEN = "-1"  # no GPU, also where there is one


@pytest.mark.parametrize(
    "arguments",
    [["training.device=gpu"], ["-m", "seed=0,1", "training.device=cpu,gpu"]],
    ids=["a run", "a sweep"],
)
def test_where_there_is_no_gpu_nothing_is_begun(tmp_path, arguments):
    root, home = copy_project(tmp_path / "without data"), tmp_path / "home"
    home.mkdir()
    command = [sys.executable, str(root / "pipelines" / "train.py"), *arguments, *TINY]
    done = run(command, root, home, SIDEBYSIDE_GPUS=HIDDEN)
    assert done.returncode == 2
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert said.startswith("error: training.device=gpu won't do: TensorFlow finds no GPU here.")
    assert "Choose training.device=cpu, or see docs/gpu.md" in said
    assert not (root / "data").exists()
    assert {path.name for path in home.iterdir()} <= {"outputs", "runs"}
    assert not list(home.glob("runs/*/*"))


def test_a_task_that_wants_a_gpu_is_done_on_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setenv("SIDEBYSIDE_GPUS", HIDDEN)
    task, executor = Task(os.getpid, tmp_path / "log", gpu=True), LocalExecutor(workers=1)
    with pytest.raises(sbs.UserError, match="finds no GPU"):
        list(executor.run([task]))
    with pytest.raises(sbs.UserError, match="finds no GPU"):
        executor.first(task).result()


def test_a_run_is_not_planned_for_a_gpu_that_is_not_there(home, monkeypatch):
    monkeypatch.setenv("SIDEBYSIDE_GPUS", HIDDEN)
    with pytest.raises(sbs.UserError, match="finds no GPU"):
        plan(sbs.compose("training.device=gpu"), {})


@pytest.mark.parametrize("card", [None, CARD])
def test_a_run_on_a_gpu_is_such_a_task(home, tmp_path, card):
    config = sbs.compose()
    identity = keys.identity(config.recipe(), "arrays", "native", card)
    job = Job(config, StudyRun("0123", "", {}, 0), identity)
    assert task_of(job, tmp_path).gpu is (card is not None)


def looked() -> tuple[int, str, bool, bool]:
    """Return a worker's number, what it sees, and whether it was given it and was forked."""
    given, forked = has_gpu(), PRELOADED in sys.modules
    return os.getpid(), os.environ["CUDA_VISIBLE_DEVICES"], given, forked


def test_each_gpu_has_a_worker_that_is_not_forked(tmp_path):
    tasks = [Task(looked, tmp_path / "log", graph=name) for name in "abcd"]
    executor = LocalExecutor(gpus=["3", "GPU-8932f937"])
    first = executor.first(tasks[0]).result()
    done = [outcome for _, outcome in executor.run(tasks)]
    assert first[1:] == ("3", True, False)
    assert {outcome[1] for outcome in done} == {"3", "GPU-8932f937"}
    assert all(outcome[2:] == (True, False) for outcome in done)
    assert len({outcome[0] for outcome in done}) == 2
    assert not has_gpu()


def test_a_worker_that_makes_room_for_graphs_keeps_its_gpu(tmp_path):
    tasks = [Task(looked, tmp_path / "log", graph=name) for name in "abcde"]
    done = [outcome for _, outcome in LocalExecutor(gpus=["7"]).run(tasks)]
    assert len({outcome[0] for outcome in done}) == 2
    assert {outcome[1] for outcome in done} == {"7"}


def test_workers_for_gpus_train_the_same_bits(tracking_home, tmp_path, monkeypatch):
    configs = [sbs.compose(*TINY, f"seed={seed}") for seed in (0, 1)]
    grid = [(config, {}) for config in configs]
    launched = run_grid(grid, LocalExecutor(gpus=[HIDDEN, HIDDEN]), tmp_path / "logs")
    assert launched.failures == {}
    spawned = [sbs.load_run(run.key) for run in launched.finished]
    assert len(spawned) == 2

    monkeypatch.setenv("SIDEBYSIDE_RETRAIN", "1")
    # Not in forked workers: their server has the home of whichever test started it.
    again = run_grid(grid, InThisProcess(), tmp_path / "again")
    assert again.failures == {}
    here = [sbs.load_run(run.key) for run in again.finished]
    assert [run.weights_digest for run in here] == [run.weights_digest for run in spawned]


def fixed(*devices: str) -> None:
    for device in devices:
        determinism.fix(1, "native", device)


@pytest.mark.parametrize(
    ("devices", "words"),
    [
        (["gpu"], "TensorFlow finds no GPU here"),
        (["cpu", "gpu"], "training.device=gpu can't be set any more"),
    ],
)
def test_a_process_computes_on_no_other_device_than_asked_for(tmp_path, devices, words):
    task = Task(partial(fixed, *devices), tmp_path / "log")
    ((_, outcome),) = LocalExecutor(gpus=[HIDDEN]).run([task])
    assert isinstance(outcome, sbs.UserError)
    assert words in str(outcome)
