"""A study on a cluster whose nodes share no disk, with everything killed that can be."""

import shutil
import sys
import time
from collections import Counter
from itertools import count

import pytest

from support.nodes import finished, two_nodes, workers
from support.processes import run_here
from support.projects import copy_project
from support.servers import mlflow_server, postgresql
from support.sweeps import digests, runs_at, started, sweep, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.release]

GRID = ("study=factorial", "model.kernel_size=3,5", "model.dropout=true", "optimizer=adam")
STUDY = (*GRID, "data_format=channels_last", "seed=0,1,2", "training.epochs=20")
AWAY = 3  # seconds


def compared(project, home):
    """Compare a study; return comparison.json as it is."""
    command = [sys.executable, str(project / "pipelines" / "compare.py"), "study=factorial"]
    done = run_here(command, project, home)
    assert done.returncode == 0, done.stderr
    return (project / "reports" / "mnist5k" / "factorial" / "comparison.json").read_bytes()


@pytest.mark.timeout(2400)
@pytest.mark.faults(
    fault="SIGKILL of a node, the sweep, the MLflow server and PostgreSQL, in one study",
    lost="nothing finished",
    repeated="epochs after the last checkpoint in the shared store",
    code=0,
    says="6/6 runs",
)
def test_a_study_ends_with_the_report_of_an_undisturbed_one(prepared, tmp_path, fault):
    numbers = count()

    def project():
        folder = copy_project(tmp_path / f"project{next(numbers)}")
        shutil.copytree(prepared, folder / "data")
        return folder

    names = ("undisturbed", "home", "served", "shared", "head", "node")
    undisturbed, home, served, shared, *own = (tmp_path / name for name in names)
    for folder in (undisturbed, home, served, shared):
        folder.mkdir()
    first, second = project(), project()
    assert sweep(first, undisturbed, *STUDY).returncode == 0
    with (
        postgresql() as cluster,
        mlflow_server(cluster.database("mlflow"), served) as server,
        two_nodes(*own) as ray,
    ):
        joined = ["hydra/launcher=ray", f"hydra.launcher.address={ray.address}"]
        places = [f"tracking.uri={server.uri}", f"store.uri={shared}", "store.checkpoint_every=0.1"]
        command = (*STUDY, *joined, *places)
        with started(second, home, *command) as process:
            wait_until(
                lambda: len(workers()) == 2 and list(shared.glob("checkpoints/*/*")),
                500,
                process=process,
            )
            (node,) = ray.worker_nodes
            node.all_processes["raylet"][0].process.kill()
            wait_until(lambda: list(shared.glob("runs/*/*")), 500, process=process)
            process.kill()
        ray.remove_node(node)
        wait_until(lambda: not workers(), 120)
        before = len(list(shared.glob("runs/*/*")))
        with started(second, home, *command) as process:
            # A run more: a store that is away when a command starts isn't waited for.
            wait_until(
                lambda: len(list(shared.glob("runs/*/*"))) > before,
                500,
                process=process,
            )
            for victim in (server, cluster):
                victim.kill()
                time.sleep(AWAY)
                victim.start()
            _, errors = process.communicate(timeout=500)
        runs = runs_at(server.uri)
    assert process.returncode == fault.code, errors
    assert fault.says in errors
    assert digests(home) == digests(undisturbed)
    same = compared(second, home) == compared(first, undisturbed)
    assert same  # without pages of what differs
    assert set(finished(home).values()) == {1}
    assert Counter(runs["tags.run_key"]) == Counter(digests(home).keys())
    assert set(runs["status"]) == {"FINISHED"}
