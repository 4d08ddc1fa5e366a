"""Tasks in worker processes: what they return, raise, print, and how they die."""

import os
import signal
import time
from functools import partial

import pytest

from sidebyside.execution.executors.interface import WorkerDiedError
from sidebyside.execution.executors.local import LocalExecutor
from sidebyside.execution.executors.tasks import Task

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


def pid_after(seconds):
    """Return the id of the worker, which took a while."""
    time.sleep(seconds)
    return os.getpid()


def pids(workers, tmp_path, *settings, seconds=0.0):
    """Return the number and the worker of each task, in the order in which they ended."""
    call = partial(pid_after, seconds)
    tasks = [Task(call, tmp_path / "log", **setting) for setting in settings]
    return list(LocalExecutor(workers=workers).run(tasks))


def test_a_worker_does_one_task_after_another_until_it_has_four_graphs(tmp_path):
    graphs = [{"graph": name} for name in ("a", "a", "b", "c", "d", "e")]
    workers = [pid for _, pid in pids(1, tmp_path, *graphs)]
    assert len(set(workers[:5])) == 1
    assert workers[5] not in workers[:5]


def test_tasks_of_one_graph_go_to_one_worker(tmp_path):
    done = pids(2, tmp_path, *[{"graph": name} for name in "abababab"], seconds=0.2)
    by_graph = {"ab"[number % 2]: pid for number, pid in done}
    assert by_graph["a"] != by_graph["b"]
    assert {("ab"[number % 2], pid) for number, pid in done} == set(by_graph.items())


def test_what_is_set_once_for_a_process_keeps_tasks_apart(tmp_path):
    done = dict(pids(1, tmp_path, *[{"process": name} for name in "xyx"]))
    assert done[0] == done[2] != done[1]


def test_the_longest_task_is_first(tmp_path):
    done = pids(1, tmp_path, *[{"cost": cost} for cost in (1, 3, 2)])
    assert [number for number, _ in done] == [1, 2, 0]


def test_tasks_that_come_later_go_to_the_workers_that_are_there(tmp_path):
    tasks = [Task(partial(pid_after, seconds), tmp_path / "log") for seconds in (1, 0, 0)]
    begun = iter([tasks[1:], tasks[:2], []])
    ended = []
    for number, pid in LocalExecutor(workers=2).run(tasks[:1], lambda: next(begun, [])):
        ended.append((number, pid))
    # 1 and 2 come while 0 is under way, 3 and 4 when nothing else is left.
    assert [number for number, _ in ended[:2]] == [1, 2]
    assert sorted(number for number, _ in ended) == [0, 1, 2, 3, 4]
    assert len({pid for _, pid in ended}) == 2


def test_a_death_in_a_warm_worker_costs_one_task(tmp_path):
    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    calls = [os.getpid, die, os.getpid]
    done = dict(LocalExecutor(workers=1).run([Task(call, tmp_path / "log") for call in calls]))
    assert isinstance(done[1], WorkerDiedError)
    assert isinstance(done[0], int)
    assert isinstance(done[2], int)
    assert done[0] != done[2]


def test_the_first_task_returns_or_raises(tmp_path):
    executor = LocalExecutor(workers=1, time_limit=0.001)  # a limit of runs, not of this
    assert executor.first(Task(lambda: "answer", tmp_path / "log")).result() == "answer"
    with pytest.raises(ValueError, match="no such level"):
        executor.first(Task(fails, tmp_path / "log")).result()
