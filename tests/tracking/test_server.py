"""A team's server: MLflow on PostgreSQL, asked through a proxy."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import mlflow
import pytest

from sidebyside import compose as compose_run
from sidebyside import train
from sidebyside.config.schema import Tracking
from sidebyside.config.validate import check
from sidebyside.errors import UserError
from sidebyside.storage.results import StudyRun
from sidebyside.tracking.client import Tracker
from sidebyside.tracking.published.contents import Card
from support.projects import TINY
from support.proxies import proxy
from support.servers import free_port

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

SLOW = 0.5  # seconds that each request waits
EPOCHS = 12
numbers = itertools.count()


@pytest.fixture
def experiment():
    """The name of an experiment of this test's own."""
    return f"experiment-{next(numbers)}"


def runs_of(server, experiment):
    client = mlflow.MlflowClient(server.uri)
    known = client.get_experiment_by_name(experiment)
    return client, client.search_runs([known.experiment_id], "tags.run_key != ''")


def trained(experiment, uri, seed, epochs=EPOCHS):
    """Return a run that is logged to a server, and how long its training took."""
    chosen = [f"tracking.uri={uri}", f"tracking.experiment={experiment}", "evaluate=false"]
    made = train(compose_run(*TINY, f"training.epochs={epochs}", f"seed={seed}", *chosen))
    return made, made.seconds()


def test_a_run_reaches_the_server_with_its_files(home, server, run_script, experiment):
    chosen = ("tracking=server", f"tracking.experiment={experiment}", *TINY)
    done = run_script("train", *chosen, MLFLOW_TRACKING_URI=server.uri)
    assert done.returncode == 0, done.stderr
    client, (logged,) = runs_of(server, experiment)
    assert logged.info.status == "FINISHED"
    assert logged.info.artifact_uri.startswith("mlflow-artifacts:")
    files = {item.path for item in client.list_artifacts(logged.info.run_id)}
    assert {"config.yaml", "epochs.log", "confusion_matrix.png"} <= files
    text = mlflow.artifacts.load_text(
        f"{server.uri}/api/2.0/mlflow-artifacts/artifacts/"
        + logged.info.artifact_uri.removeprefix("mlflow-artifacts:/")
        + "/epochs.log"
    )
    assert text.startswith("epoch 1/1: loss")


def test_slow_answers_do_not_slow_a_training(home, server, experiment):
    trained(experiment, server.uri, 0, epochs=1)  # what is done once for a process
    _, quick = trained(experiment, server.uri, 1)
    with proxy(server.uri, SLOW) as slow:
        for seed in (2, 3, 4):  # a busy machine slows one down; in their way all would be slow
            made, seconds = trained(experiment, slow.uri, seed)
            if seconds < quick + EPOCHS * SLOW / 2:
                break
    # In its way they'd cost 0.5 s for each epoch, and a second or more to begin.
    assert seconds < quick + EPOCHS * SLOW / 2
    client, logged = runs_of(server, experiment)
    (own,) = (one for one in logged if one.data.tags["run_key"] == made.key)
    points = client.get_metric_history(own.info.run_id, "loss")
    assert [point.step for point in points] == list(range(1, EPOCHS + 1))


def test_a_run_takes_few_requests(home, server, experiment):
    trained(experiment, server.uri, 0, epochs=1)
    with proxy(server.uri) as counting:
        trained(experiment, counting.uri, 3, epochs=2)
        first = counting.asked.total()
        counting.asked.clear()
        trained(experiment, counting.uri, 3, epochs=2)
    assert first <= 26, counting.asked
    assert counting.asked.total() <= 8, counting.asked


def test_a_login_that_is_missing_or_wrong_is_a_sentence(home, server, experiment, monkeypatch):
    with proxy(server.uri, login="anna:right") as guarded:
        tracker = Tracker(Tracking(uri=guarded.uri, experiment=experiment))
        with pytest.raises(UserError, match=r"refuses the login \(401\): set MLFLOW_TRACKING_USER"):
            tracker.prepare()
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "anna")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wrong")
        with pytest.raises(UserError, match="refuses the login"):
            tracker.find_parent("any", "mnist5k")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "right")
        tracker.prepare()
        assert tracker.find_parent("any", "mnist5k") is None


def test_a_server_without_an_address_is_a_sentence(run_script):
    done = run_script("train", "tracking=server", *TINY)
    assert done.returncode == 2
    assert "tracking=server needs the address of a server: set MLFLOW_TRACKING_URI" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_server_that_is_not_there_is_not_waited_for_at_the_start(run_script):
    uri = f"http://127.0.0.1:{free_port()}"
    done = run_script("train", "tracking=server", *TINY, MLFLOW_TRACKING_URI=uri)
    assert done.returncode == 2
    assert f"The tracking store {uri} can't be reached or used (ConnectionError)" in done.stderr


def test_of_runs_that_many_make_at_once_one_stays(compose, server, experiment):
    card = Card(StudyRun("the-same", "", {}, 0), check(compose()).recipe())
    trackers = [Tracker(Tracking(uri=server.uri, experiment=experiment)) for _ in range(8)]
    trackers[0].prepare()
    everyone = Barrier(len(trackers))

    def make(tracker):
        everyone.wait()
        for _ in range(3):
            tracker.log_epochs(tracker.open_run(card), {1: {"loss": 0.5}})

    with ThreadPoolExecutor(len(trackers)) as pool:
        list(pool.map(make, trackers))
    client, (kept,) = runs_of(server, experiment)
    assert len(client.get_metric_history(kept.info.run_id, "loss")) == 1
