"""What every engine that runs tasks has to do, whichever it is."""

import os
import signal
import time
from functools import partial

import psutil
import pytest

from sidebyside.execution.executors.interface import WorkerDiedError
from sidebyside.execution.executors.tasks import Task
from sidebyside.files import read_json
from support.engines import ALL
from support.sweeps import keys_in, parents_of, runs_of, started, sweep, wait_until

pytestmark = pytest.mark.slow  # workers import TensorFlow

TWO = ("seed=0,1", "training.epochs=12")


@pytest.fixture(scope="module", params=ALL, ids=lambda engine: engine.name)
def engine(request):
    """An engine, which is left when its last test has ended."""
    yield request.param
    request.param.leave()


@pytest.fixture
def run(engine, tmp_path, monkeypatch):
    """A function that does calls, or tasks, and returns numbers with outcomes as they ended."""
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(tmp_path))

    def run_all(calls, more=tuple, costs=(), graphs=(), **settings):
        made = [
            Task(call, tmp_path / f"{number}.log", **_described(number, costs, graphs))
            for number, call in enumerate(calls)
        ]
        return list(engine.executor(**settings).run(made, more))

    return run_all


def _described(number, costs, graphs):
    described = {}
    if costs:
        described["cost"] = costs[number]
    if graphs:
        described["graph"] = graphs[number]
    return described


def fails():
    raise ValueError("no such level")


def dies():
    os.kill(os.getpid(), signal.SIGKILL)


def grows():
    held = [bytes([1]) * 2**20 for _ in range(3000)]
    time.sleep(60)
    return held


def pid_after(seconds):
    """Return the id of the worker, which took a while."""
    time.sleep(seconds)
    return os.getpid()


def test_each_task_ends_for_itself(engine, run, tmp_path):
    calls = [lambda: print("hello") or 6 * 7, fails, os.getpid]
    if engine.keeps_apart:
        calls.append(dies)
    later = iter([[Task(lambda: "later", tmp_path / "later.log")], []])
    outcomes = dict(run(calls, lambda: next(later, []), workers=2))
    assert outcomes.keys() == set(range(len(calls) + 1))
    assert outcomes[0] == 42
    assert isinstance(outcomes[1], ValueError)
    assert str(outcomes[1]) == "no such level"
    assert outcomes[len(calls)] == "later"
    if engine.keeps_apart:
        assert outcomes[2] != os.getpid()
        assert (tmp_path / "0.log").read_text() == "hello\n"
        assert isinstance(outcomes[3], WorkerDiedError)
        assert "died" in str(outcomes[3])


def test_the_longest_task_is_first_and_four_graphs_are_the_most(engine, run):
    costs, graphs = (1, 9, 8, 7, 6, 5, 4), "eaaabcd"
    done = run([os.getpid] * 7, costs=costs, graphs=graphs, workers=1)
    assert [number for number, _ in done] == [1, 2, 3, 4, 5, 6, 0]
    pids = [pid for _, pid in done]
    assert len(set(pids[:6])) == 1
    if engine.keeps_apart:
        assert pids[6] != pids[0]


def test_tasks_of_one_graph_share_a_process(engine, run):
    call = partial(pid_after, 0.3)
    by_graph = {}
    for number, pid in run([call] * 8, graphs="abababab", workers=2):
        by_graph.setdefault("ab"[number % 2], set()).add(pid)
    assert [len(pids) for pids in by_graph.values()] == [1, 1]
    if engine.keeps_apart:
        assert by_graph["a"] != by_graph["b"]


def test_a_task_over_its_limits_fails_alone(engine, run):
    if not engine.keeps_apart:
        pytest.skip(f"hydra/launcher={engine.name} has no limits")
    calls = [partial(time.sleep, 100), grows, os.getpid]
    began = time.monotonic()
    outcomes = dict(run(calls, workers=3, time_limit=8, memory_limit=1500))
    assert time.monotonic() - began < 60
    assert str(outcomes[0]) == "it took longer than time_limit=8.0 s"
    assert str(outcomes[1]) == "it took more than memory_limit=1500 MiB"
    assert isinstance(outcomes[2], int)


def test_the_first_task_returns_or_raises(engine, tmp_path, monkeypatch):
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(tmp_path))
    executor = engine.executor(workers=1, time_limit=0.001)  # a limit of runs, not of this
    answers = [executor.first(Task(call, tmp_path / "log")) for call in (lambda: "answer", fails)]
    assert answers[0].result() == "answer"
    with pytest.raises(ValueError, match="no such level"):
        answers[1].result()


def digests(home):
    """Return the weights digest of each finished run."""
    return {
        key: read_json(home / "runs" / key / "run.json")["weights_digest"] for key in keys_in(home)
    }


@pytest.fixture(scope="session")
def undisturbed(project, tmp_path_factory):
    """The weights digests of two runs that nothing has disturbed."""
    home = tmp_path_factory.mktemp("undisturbed")
    done = sweep(project, home, *TWO, "hydra.launcher.workers=2")
    assert done.returncode == 0, done.stderr
    return digests(home)
