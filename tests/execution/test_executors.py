"""Tasks in worker processes: what they return, raise, print, and how they die."""

import os
import signal

import pytest

from sidebyside.execution.executors import LocalExecutor, Task, WorkerDiedError

pytestmark = pytest.mark.slow  # the server that workers are forked from imports TensorFlow


def fails():
    raise ValueError("no such level")


def test_each_task_ends_for_itself(tmp_path):
    calls = [
        lambda: print("hello") or 6 * 7,
        fails,
        lambda: os.kill(os.getpid(), signal.SIGKILL),
        os.getpid,
    ]
    tasks = [Task(call, tmp_path / f"{number}.log") for number, call in enumerate(calls)]
    results = dict(LocalExecutor(workers=2).run(tasks))
    assert results.keys() == {0, 1, 2, 3}
    assert results[0] == 42
    assert (tmp_path / "0.log").read_text() == "hello\n"
    assert isinstance(results[1], ValueError)
    assert str(results[1]) == "no such level"
    assert isinstance(results[2], WorkerDiedError)
    assert "its process died" in str(results[2])
    assert results[3] != os.getpid()


def test_the_first_task_returns_or_raises(tmp_path):
    executor = LocalExecutor(workers=1, time_limit=0.001)  # a limit of runs, not of this
    assert executor.first(Task(lambda: "answer", tmp_path / "log")) == "answer"
    with pytest.raises(ValueError, match="no such level"):
        executor.first(Task(fails, tmp_path / "log"))
