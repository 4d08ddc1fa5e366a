"""A team's server that is killed in the middle of a study."""

import itertools
import time

import mlflow
import pytest

from sidebyside.files import read_json
from support.sweeps import keys_in, started, sweep_here, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

EPOCHS = 8
THREE = ("seed=0,1,2", f"training.epochs={EPOCHS}", "hydra.launcher.workers=2")
AWAY = 4  # seconds, and what it takes to start
numbers = itertools.count()


@pytest.fixture
def experiment():
    """The name of an experiment of this test's own."""
    return f"interrupted-{next(numbers)}"


@pytest.fixture(scope="module")
def undisturbed(project, tmp_path_factory):
    """The digests of the weights where nothing happens."""
    home = tmp_path_factory.mktemp("undisturbed")
    assert sweep_here(project, home, *THREE).returncode == 0
    return digests(home)


def digests(home):
    return {
        key: read_json(home / "runs" / key / "run.json")["weights_digest"] for key in keys_in(home)
    }


def wait_for_the_middle(process, home):
    """Wait until a run is under way, with most of it to come."""

    def under_way():
        assert process.poll() is None, process.communicate()
        return any((home / "runs" / ".unfinished").glob("*/progress.json"))

    wait_until(under_way, seconds=240)


def check(server, experiment, home):
    """Assert that the store has each run of the run store once, complete, under closed parents."""
    client = mlflow.MlflowClient(server.uri)
    known = client.get_experiment_by_name(experiment).experiment_id
    runs = client.search_runs([known], "tags.run_key != ''")
    assert sorted(run.data.tags["run_key"] for run in runs) == sorted(keys_in(home))
    for run in runs:
        assert run.info.status == "FINISHED"
        assert len(client.list_artifacts(run.info.run_id)) >= 4
        for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
            points = client.get_metric_history(run.info.run_id, name)
            assert [point.step for point in points] == list(range(1, EPOCHS + 1))
        assert len(client.get_metric_history(run.info.run_id, "test_error")) == 1
    parents = client.search_runs([known], "tags.level = 'parent'")
    return [parent.info.status for parent in parents]


def killed(who, fault, *more):
    marker = pytest.mark.faults(
        fault=fault,
        lost="nothing: the study waits for it",
        repeated="nothing: each run and each epoch is logged once",
        code=0,
        says="waiting for the tracking store",
    )
    return pytest.param(who, marks=[marker, *more], id=who)


@pytest.mark.parametrize(
    "who",
    [
        killed("server", "SIGKILL of the MLflow server in mid-study, which is started again"),
        killed(
            "cluster",
            "SIGKILL of its PostgreSQL in mid-study, which is started again",
            pytest.mark.release,
        ),
    ],
)
def test_what_is_away_for_a_while_is_waited_for(
    who, project, tmp_path, server, cluster, experiment, undisturbed, fault
):
    chosen = ["tracking=server", f"tracking.uri={server.uri}", f"tracking.experiment={experiment}"]
    victim = {"server": server, "cluster": cluster}[who]
    with started(project, tmp_path, *THREE, *chosen) as process:
        wait_for_the_middle(process, tmp_path)
        victim.kill()
        time.sleep(AWAY)
        victim.start()
        _, errors = process.communicate(timeout=400)
    assert process.returncode == fault.code, errors
    assert fault.says in errors
    assert "Traceback" not in errors
    assert check(server, experiment, tmp_path) == ["FINISHED"]
    again = sweep_here(project, tmp_path, *THREE, *chosen)
    assert again.returncode == 0, again.stderr
    check(server, experiment, tmp_path)
    assert digests(tmp_path) == undisturbed


@pytest.mark.faults(
    fault="SIGKILL of the MLflow server in mid-study, away for longer than `tracking.wait`",
    lost="nothing: all runs are trained and kept",
    repeated="nothing: the same command publishes them once",
    code=2,
    says="doesn't answer any more",
)
def test_what_stays_away_is_given_the_runs_later(
    project, tmp_path, server, experiment, undisturbed, fault
):
    chosen = ["tracking=server", f"tracking.uri={server.uri}", f"tracking.experiment={experiment}"]
    with started(project, tmp_path, *THREE, *chosen, "tracking.wait=2") as process:
        wait_for_the_middle(process, tmp_path)
        server.kill()
        _, errors = process.communicate(timeout=400)
    assert process.returncode == fault.code, errors
    assert fault.says in errors
    assert "the same command publishes it" in errors
    assert "Traceback" not in errors
    assert digests(tmp_path) == undisturbed
    server.start()
    again = sweep_here(project, tmp_path, *THREE, *chosen)
    assert again.returncode == 0, again.stderr
    check(server, experiment, tmp_path)
