"""Sweeps on a Ray cluster of two nodes, some of which are killed."""

import shutil
import signal

import pytest

from sidebyside import UserError
from sidebyside.config.launchers import Ray
from sidebyside.execution.executors.chosen import executor_of
from sidebyside.execution.executors.ray_core import nodes
from sidebyside.execution.executors.ray_core.cluster import leave
from sidebyside.execution.executors.tasks import Task
from support.nodes import finished, two_nodes, workers
from support.servers import mlflow_server
from support.sweeps import TWO, are_done, digests, runs_at, runs_of, started, sweep, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.cluster]


@pytest.fixture(scope="module")
def cluster():
    """A cluster whose nodes have the home of whoever joins it."""
    with two_nodes() as cluster:
        yield cluster


@pytest.fixture
def command(cluster):
    """The arguments of a sweep that joins the cluster."""
    return [*TWO, "hydra/launcher=ray", f"hydra.launcher.address={cluster.address}"]


@pytest.mark.release
@pytest.mark.faults(
    fault="SIGKILL of a sweep that has joined a Ray cluster",
    lost="nothing finished",
    repeated="epochs after the last checkpoint",
    code=-9,
    says="",
)
def test_workers_end_with_the_sweep_that_asked_for_them(
    project, tmp_path, command, undisturbed, fault
):
    with started(project, tmp_path, *command) as process:
        wait_until(lambda: are_done(tmp_path, 2), 240, process=process)
        process.kill()
        process.communicate(timeout=60)
    assert process.returncode == fault.code
    wait_until(lambda: not workers(), 30)
    again = sweep(project, tmp_path, *command)
    assert again.returncode == 0, again.stderr
    assert digests(tmp_path) == undisturbed
    assert set(finished(tmp_path).values()) == {1}
    assert set(runs_of(tmp_path)["status"]) == {"FINISHED"}


@pytest.mark.faults(
    fault="a node of a Ray cluster that doesn't share the home of the sweep",
    lost="nothing",
    repeated="nothing",
    code=2,
    says="is a file of this machine, which node",
)
def test_a_node_that_shares_no_home_is_refused(project, tmp_path, cluster, command, fault):
    node = cluster.add_node(num_cpus=1, env_vars={"SIDEBYSIDE_HOME": str(tmp_path / "own")})
    try:
        done = sweep(project, tmp_path, *command)
    finally:
        cluster.remove_node(node)
    assert done.returncode == fault.code, done.stderr
    assert fault.says in done.stderr
    assert "Traceback" not in done.stderr
    assert not digests(tmp_path)


def test_a_node_that_says_nothing_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(tmp_path))
    monkeypatch.setattr(nodes, "_ASKED_WITHIN", 2)
    with two_nodes(health_check_failure_threshold=10**6) as cluster:
        (node,) = cluster.worker_nodes
        raylet = node.all_processes["raylet"][0].process
        raylet.send_signal(signal.SIGSTOP)
        settings = Ray(engine="ray", address=cluster.address)
        try:
            with pytest.raises(UserError, match=f"say nothing for 2 s: {node.node_ip_address}"):
                executor_of(settings).first(Task(int, tmp_path / "log")).result(120)
        finally:
            raylet.send_signal(signal.SIGCONT)
            leave()


@pytest.mark.faults(
    fault="SIGKILL of a node of a Ray cluster in the middle of a sweep",
    lost="nothing",
    repeated="epochs after the last checkpoint",
    code=0,
    says="its run is started again",
)
def test_runs_of_a_node_that_dies_end_on_another(
    project, tmp_path, cluster, command, undisturbed, fault
):
    with started(project, tmp_path, *command) as process:
        begun = tmp_path / "runs" / ".unfinished"  # one on each node, and none has ended
        wait_until(
            lambda: len(list(begun.glob("*"))) == 2 and are_done(tmp_path, 2), 240, process=process
        )
        (node,) = cluster.worker_nodes
        node.all_processes["raylet"][0].process.kill()  # with which its workers end
        _, errors = process.communicate(timeout=240)
    assert process.returncode == fault.code, errors
    assert fault.says in errors
    assert digests(tmp_path) == undisturbed
    assert set(finished(tmp_path).values()) == {1}
    assert set(runs_of(tmp_path)["status"]) == {"FINISHED"}


@pytest.mark.faults(
    fault="`hydra.launcher.address` where no Ray answers",
    lost="nothing",
    repeated="nothing",
    code=2,
    says="has no Ray to join (Connection refused)",
)
def test_an_address_that_does_not_answer_is_told_at_once(project, tmp_path, fault):
    address = "hydra.launcher.address=127.0.0.1:1"
    done = sweep(project, tmp_path, *TWO, "hydra/launcher=ray", address)
    assert done.returncode == fault.code, done.stderr
    assert fault.says in done.stderr
    assert "Traceback" not in done.stderr
    assert runs_of(tmp_path).empty


@pytest.mark.faults(
    fault="SIGKILL of a node of a Ray cluster whose nodes have homes of their own",
    lost="nothing",
    repeated="epochs after the last checkpoint in the shared store, on another node",
    code=0,
    says="its run is started again",
)
def test_nodes_with_homes_of_their_own_share_runs(
    project, tmp_path, empty_database, undisturbed, fault
):
    home, served, shared, *own = (
        tmp_path / name for name in ("home", "served", "shared", "head", "node")
    )
    for folder in (home, served, shared):
        folder.mkdir()
    shutil.copy(empty_database, served)
    database = f"sqlite:///{served / empty_database.name}"
    with mlflow_server(database, served) as server, two_nodes(*own) as cluster:
        joined = ["hydra/launcher=ray", f"hydra.launcher.address={cluster.address}"]
        places = [f"tracking.uri={server.uri}", f"store.uri={shared}", "store.checkpoint_every=0.1"]
        with started(project, home, *TWO, *joined, *places) as process:
            begun = own[1] / "runs" / ".unfinished"  # on the node that is killed
            wait_until(
                lambda: any(begun.glob("*")) and list(shared.glob("checkpoints/*/*")),
                240,
                process=process,
            )
            (node,) = cluster.worker_nodes
            node.all_processes["raylet"][0].process.kill()
            _, errors = process.communicate(timeout=240)
        runs = runs_at(server.uri)
    assert process.returncode == fault.code, errors
    assert fault.says in errors
    assert digests(home) == undisturbed
    assert digests(own[0]) == undisturbed  # the node that was left has ended with all of them
    assert set(finished(home).values()) == {1}
    assert sorted(runs["tags.run_key"]) == sorted(finished(home))
    assert set(runs["status"]) == {"FINISHED"}


@pytest.mark.parametrize(
    ("settings", "do", "said"),
    [
        ({"memory": 10**7}, "first", "No node of the Ray cluster has room for .*memory="),
        ({"memory_limit": 50}, "run", "raise hydra.launcher.memory_limit"),
    ],
)
def test_what_no_worker_can_have_is_told(tmp_path, monkeypatch, settings, do, said):
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(tmp_path))
    executor = executor_of(Ray(engine="ray", workers=1, **settings))
    task = Task(int, tmp_path / "log")
    asked = {
        "first": lambda: executor.first(task).result(120),
        "run": lambda: [*executor.run([task])],
    }
    try:
        with pytest.raises(UserError, match=said):
            asked[do]()
    finally:
        leave()
