"""What every engine that runs tasks has to do, whichever it is."""

import os
import re
import signal
import sys
import time
from functools import partial
from itertools import groupby

import psutil
import pytest

from sidebyside.execution.executors.interface import WorkerDiedError
from sidebyside.execution.executors.tasks import Task
from support.engines import ALL
from support.nodes import name_of
from support.sweeps import (
    TWO,
    are_done,
    digests,
    parents_of,
    runs_of,
    started,
    sweep,
    sweep_here,
    wait_for_training,
    wait_until,
)

# Workers import TensorFlow; of an engine without any, this process does.
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


_MARKS = {"ray": [pytest.mark.cluster], "slurm": [pytest.mark.cluster]}
_ENGINES = [pytest.param(own, id=own.name, marks=_MARKS.get(own.name, [])) for own in ALL]


@pytest.fixture(scope="module", params=_ENGINES)
def engine(request):
    """An engine, with what it needs until its last test has ended."""
    with request.param.needs():
        yield request.param


def sweep_by(engine):
    """Return the function that sweeps, in this process where it may."""
    return sweep_here if engine.may_be_here else sweep


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


def ends():
    raise SystemExit(0)  # as a script that asks for other arguments


def dies():
    os.kill(os.getpid(), signal.SIGKILL)


def grows():
    """Grow by pieces: as one, it would keep the interpreter from whoever watches its size."""
    held = []
    for _ in range(50):
        held.append(b"x" * (50 * 2**20))
        time.sleep(0.01)
    time.sleep(60)
    return len(held)


def raises_its_own(folder):
    """Raise an exception of a module that nobody else can import."""
    sys.path.insert(0, str(folder))
    try:
        from their_model import train
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("their_model", None)  # of an engine whose tasks are done right here
    train()


def pid_after(seconds):
    """Return the id of the worker, which took a while."""
    time.sleep(seconds)
    return os.getpid()


def test_each_task_ends_for_itself(engine, run, tmp_path):
    calls = [lambda: print("hello") or 6 * 7, fails, os.getpid, ends]
    if engine.keeps_apart:
        calls += [dies, partial(os._exit, 0)]
    later = iter([[Task(lambda: "later", tmp_path / "later.log")], []])
    outcomes = dict(run(calls, lambda: next(later, []), workers=2))
    assert outcomes.keys() == set(range(len(calls) + 1))
    assert outcomes[0] == 42
    assert isinstance(outcomes[1], ValueError)
    assert str(outcomes[1]) == "no such level"
    assert isinstance(outcomes[3], SystemExit)
    assert outcomes[len(calls)] == "later"
    if engine.keeps_apart:
        assert outcomes[2] != os.getpid()
        assert (tmp_path / "0.log").read_text() == "hello\n"
        for outcome, said in ((outcomes[4], "died|failed"), (outcomes[5], "died|left no result")):
            assert isinstance(outcome, WorkerDiedError)
            assert re.search(said, str(outcome))


def kills(file, done):
    """Kill the worker whose id is in a file, once it has no task any more."""
    wait_until(file.exists, 60)
    time.sleep(1)
    os.kill(int(file.read_text()), signal.SIGKILL)
    time.sleep(1)
    done.touch()


def test_a_worker_that_dies_without_a_task_is_replaced(engine, run, tmp_path):
    if engine.name != "local":
        pytest.skip(f"hydra/launcher={engine.name} looks after its workers itself, or has none")
    file, done = tmp_path / "pid", tmp_path / "done"

    def more():
        later = [Task(os.getpid, tmp_path / "later.log")] * 4 if done.exists() else []
        done.unlink(missing_ok=True)
        return later

    calls = [partial(kills, file, done), lambda: file.write_text(str(os.getpid()))]
    outcomes = dict(run(calls, more, costs=(2, 1), graphs="ab", workers=2))
    assert len(outcomes) == 6
    assert not any(isinstance(outcome, Exception) for outcome in outcomes.values())


_THEIRS = """
class NeedsBatch(Exception):
    def __init__(self, wanted, got):
        super().__init__(f"needs {wanted} images, got {got}")

def train():
    raise NeedsBatch(128, 7)
"""


def test_an_exception_of_a_users_module_fails_its_task_alone(engine, run, tmp_path):
    (tmp_path / "their_model.py").write_text(_THEIRS)
    outcomes = dict(run([partial(raises_its_own, tmp_path), os.getpid], workers=1))
    assert "needs 128 images, got 7" in str(outcomes[0])
    assert isinstance(outcomes[1], int)
    if engine.keeps_apart:
        assert type(outcomes[0]) is RuntimeError
        assert str(outcomes[0]).startswith("their_model.NeedsBatch: ")


def test_the_longest_task_is_first_and_four_graphs_are_the_most(engine, run):
    if not engine.in_order:
        pytest.skip(f"hydra/launcher={engine.name} leaves the order to the cluster")
    costs, graphs = (1, 9, 8, 7, 6, 5, 4), "eaaabcd"
    done = run([os.getpid] * 7, costs=costs, graphs=graphs, workers=1)
    assert [number for number, _ in done] == [1, 2, 3, 4, 5, 6, 0]
    pids = [pid for _, pid in done]
    assert len(set(pids[:6])) == 1
    if engine.keeps_apart:
        assert pids[6] != pids[0]


def test_a_worker_does_the_tasks_of_a_graph_one_after_the_other(engine, run):
    done = run([partial(pid_after, 0.2)] * 8, graphs="abababab", workers=2)
    assert len(done) == 8
    by_worker = {}
    for number, pid in done:
        by_worker.setdefault(pid, []).append("ab"[number % 2])
    assert all(len(list(groupby(graphs))) == len(set(graphs)) for graphs in by_worker.values())


def test_a_task_over_its_limits_fails_alone(engine, run):
    if not engine.knows("time_limit", "memory_limit"):
        pytest.skip(f"hydra/launcher={engine.name} has no limits, or those of the cluster")
    calls = [partial(time.sleep, 100), grows, os.getpid]
    outcomes = dict(run(calls, workers=3, time_limit=20, memory_limit=1500))
    assert str(outcomes[0]) == "it took longer than time_limit=20.0 s"
    assert str(outcomes[1]) == "it took more than memory_limit=1500 MiB"
    assert isinstance(outcomes[2], int)


def too_late():
    raise TimeoutError("a disk that doesn't answer")


def test_a_timeout_that_a_task_meets_is_its_own(run):
    ((_, outcome),) = run([too_late])
    assert isinstance(outcome, TimeoutError)
    assert str(outcome) == "a disk that doesn't answer"


def test_the_first_task_returns_or_raises(engine, tmp_path, monkeypatch):
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(tmp_path))
    executor = engine.executor(workers=1, time_limit=0.001)  # a limit of runs, not of this
    answers = [executor.first(Task(call, tmp_path / "log")) for call in (lambda: "answer", fails)]
    assert answers[0].result() == "answer"
    with pytest.raises(ValueError, match="no such level"):
        answers[1].result()


def interrupt(process, home, epochs, number):
    """Send a signal to a sweep once a run has so many epochs; return what it printed."""
    try:
        wait_until(lambda: process.poll() is not None or are_done(home, epochs), 240)
        assert process.poll() is None, process.communicate()
        below = psutil.Process(process.pid).children(recursive=True)
        # After a SIGKILL, two of Ray's own look for its head, idle, for another minute.
        killed = number == signal.SIGKILL
        agents = [each.pid for each in below if killed and "Agent" in name_of(each)]
        if number == signal.SIGKILL:
            process.kill()
        else:
            os.killpg(process.pid, number)  # as a terminal does
        _, errors = process.communicate(timeout=60)
        working = [each for each in below if each.pid not in agents]
        assert not psutil.wait_procs(working, timeout=30)[1]
    finally:
        process.kill()
    return errors


@pytest.mark.faults(
    fault="Ctrl-C in a sweep, then SIGKILL of the one that goes on, with each engine",
    lost="nothing finished",
    repeated="epochs after the last checkpoint",
    code="130, -9",
    says="The same command again goes on",
)
def test_what_is_cut_short_goes_on_and_has_the_same_bits(
    engine, project, tmp_path, undisturbed, fault
):
    command = [*TWO, *engine.arguments(workers=2)]
    with started(project, tmp_path, *command) as process:
        errors = interrupt(process, tmp_path, 2, signal.SIGINT)
    assert fault.says in errors
    assert "Traceback" not in errors
    assert f"{process.returncode}, -9" == fault.code
    before = {"FINISHED"} if engine.name == "slurm" else set()  # a run, as its job hears it later
    assert set(runs_of(tmp_path)["status"]) - before == {"KILLED"}
    assert list(parents_of(tmp_path)["status"]) == ["KILLED"]
    with started(project, tmp_path, *command) as process:
        errors = interrupt(process, tmp_path, 5, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL, errors
    done = sweep_by(engine)(project, tmp_path, *command)
    assert done.returncode == 0, done.stderr
    assert digests(tmp_path) == undisturbed
    assert set(runs_of(tmp_path)["status"]) == {"FINISHED"}
    assert not any(status == "RUNNING" for status in parents_of(tmp_path)["status"])


@pytest.mark.faults(
    fault="SIGKILL of a worker, where the engine starts a lost run again",
    lost="nothing",
    repeated="epochs after the last checkpoint",
    code=0,
    says="its run is started again",
)
def test_a_run_whose_worker_dies_goes_on_in_another(engine, project, tmp_path, undisturbed, fault):
    if not engine.starts_again:
        pytest.skip(f"hydra/launcher={engine.name} starts no run again by itself")
    with started(project, tmp_path, *TWO, *engine.arguments(workers=2)) as process:
        os.kill(wait_for_training(process, tmp_path), signal.SIGKILL)
        _, errors = process.communicate(timeout=240)
    assert process.returncode == fault.code, errors
    assert errors.count(fault.says) == 1
    assert digests(tmp_path) == undisturbed
    assert set(runs_of(tmp_path)["status"]) == {"FINISHED"}


def test_an_undisturbed_sweep_has_the_same_bits(engine, project, tmp_path, undisturbed):
    if engine.name == "local":
        pytest.skip("it is what the others are compared with")
    done = sweep_by(engine)(project, tmp_path, *TWO, *engine.arguments(workers=2))
    assert done.returncode == 0, done.stderr
    assert "2/2 runs" in done.stderr
    assert "oneDNN" not in done.stderr
    assert digests(tmp_path) == undisturbed
    assert set(runs_of(tmp_path)["status"]) == {"FINISHED"}
    assert list(parents_of(tmp_path)["status"]) == ["FINISHED"]
