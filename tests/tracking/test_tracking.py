"""MLflow, on a real SQLite store."""

import os
import signal
import subprocess
import sys

import mlflow
import pytest

from conftest import TINY
from sidebyside import evaluate, train
from sidebyside.config.schema import Tracking
from sidebyside.tracking.client import Card, Tracker

ARGUMENTS = (*TINY, "training.epochs=3", "seed=0")


@pytest.fixture
def client(home):
    """A client of the store at home."""
    return mlflow.MlflowClient(f"sqlite:///{home / 'mlflow.db'}")


def all_runs(client):
    (experiment,) = client.search_experiments(filter_string="name = 'sidebyside'")
    return client.search_runs([experiment.experiment_id])


def test_a_run_carries_what_a_person_wants(compose, client):
    run = train(compose(*ARGUMENTS))
    (logged,) = all_runs(client)
    assert logged.info.status == "FINISHED"
    assert logged.data.tags["run_key"] == run.key
    assert logged.data.tags["seed"] == "0"
    expected = {
        "kernel_size": "3",
        "dropout": "true",
        "optimizer": "adam",
        "data_format": "channels_last",
        "seed": "0",
        "protocol": "clean",
        "parameters": str(run.parameters),
    }
    assert expected.items() <= logged.data.params.items()
    assert logged.data.metrics["test_error"] == evaluate(run).test_error
    assert logged.inputs.dataset_inputs[0].dataset.name == "mnist5k"
    artifacts = {item.path for item in client.list_artifacts(logged.info.run_id)}
    assert {"config.yaml", "model_summary.txt", "confusion_matrix.png"} <= artifacts
    for name, values in run.history.items():
        points = client.get_metric_history(logged.info.run_id, name)
        assert [point.step for point in points] == [1, 2, 3]
        assert [point.value for point in points] == pytest.approx(values, abs=1e-6)


def test_a_run_asked_for_again_is_logged_once(compose, client):
    for _ in range(2):
        train(compose(*ARGUMENTS))
    (logged,) = all_runs(client)
    assert len(client.get_metric_history(logged.info.run_id, "loss")) == 3
    assert len(client.get_metric_history(logged.info.run_id, "test_error")) == 1


def test_a_run_that_mlflow_lost_is_logged_from_its_files(compose, client):
    run = train(compose(*ARGUMENTS))
    (lost,) = all_runs(client)
    client.delete_run(lost.info.run_id)
    train(compose(*ARGUMENTS))
    (logged,) = all_runs(client)
    assert logged.data.tags["run_key"] == run.key
    assert logged.data.metrics == lost.data.metrics
    assert logged.data.params == lost.data.params


HANGING = """
import sys, time
from sidebyside.config.schema import Tracking
from sidebyside.tracking.client import Card, Tracker
recipe = {"seed": 0, "protocol": "clean", "dataset": "d", "data_format": "f", "epochs": 1,
          "batch_size": 1, "threads": 1, "model": {"name": "m", "kernel_size": 3, "dropout": True},
          "optimizer": {"name": "o", "learning_rate": 1.0}}
Tracker(Tracking(uri=None, experiment="sidebyside")).open_run(Card("dead", recipe, None, None))
print("open", flush=True)
time.sleep(600)
"""


def test_a_run_of_a_dead_process_is_closed_and_a_live_one_is_not(home, client):
    tracker = Tracker(Tracking(uri=None, experiment="sidebyside"))
    tracker.prepare()
    tracker.open_parent("alive", {"level": "parent"}, reopen=False)
    with subprocess.Popen(
        [sys.executable, "-c", HANGING], stdout=subprocess.PIPE, env=os.environ
    ) as process:
        assert process.stdout.readline() == b"open\n"
        assert tracker.close_dead() == 0
        process.send_signal(signal.SIGKILL)
    assert tracker.close_dead() == 1
    statuses = {run.info.run_name: run.info.status for run in all_runs(client)}
    assert statuses == {"alive": "RUNNING", "m seed=0": "KILLED"}


def test_a_failure_is_recorded_with_its_reason(home, client):
    tracker = Tracker(Tracking(uri=None, experiment="sidebyside"))
    tracker.prepare()
    recipe = {
        "seed": 1,
        "protocol": "clean",
        "dataset": "mnist5k",
        "data_format": "channels_last",
        "epochs": 1,
        "batch_size": 8,
        "threads": 1,
        "model": {"name": "tiny", "kernel_size": None, "dropout": None},
        "optimizer": {"name": "adam", "learning_rate": 0.001},
    }
    tracker.end_early(Card("broken", recipe, None, None), "FAILED", "the reason")
    (logged,) = all_runs(client)
    assert logged.info.status == "FAILED"
    assert mlflow.artifacts.load_text(f"{logged.info.artifact_uri}/failure.txt") == "the reason"
