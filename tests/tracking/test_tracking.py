"""MLflow, on a real SQLite store."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from sidebyside import compose as compose_run
from sidebyside import evaluate, train
from sidebyside.config.schema import Tracking
from sidebyside.config.validate import check
from sidebyside.storage.results import StudyRun
from sidebyside.tracking.client import Tracker
from sidebyside.tracking.published.contents import Card
from sidebyside.tracking.publisher import Publisher
from support.processes import run
from support.projects import TINY, copy_project, in_place

ARGUMENTS = (*TINY, "training.epochs=3", "seed=0")


@pytest.fixture
def client(tracking_home):
    """A client of the store at home."""
    return mlflow.MlflowClient(f"sqlite:///{tracking_home / 'mlflow.db'}")


@pytest.fixture(scope="module")
def trained(project, empty_database, tmp_path_factory):
    """A finished run, and the only home that has it."""
    home = tmp_path_factory.mktemp("trained")
    shutil.copy(empty_database, home)
    with in_place(project, home):
        return train(compose_run(*ARGUMENTS)), home


@pytest.fixture
def at_trained(project, trained, monkeypatch):
    """That run, in its home, and a client of the store there."""
    run, home = trained
    at(monkeypatch, project, home)
    return run, mlflow.MlflowClient(f"sqlite:///{home / 'mlflow.db'}")


def at(patch, project, home):
    patch.setenv("SIDEBYSIDE_ROOT", str(project))
    patch.setenv("SIDEBYSIDE_HOME", str(home))


def all_runs(client):
    (experiment,) = client.search_experiments(filter_string="name = 'sidebyside'")
    return client.search_runs([experiment.experiment_id])


def test_a_run_carries_what_a_person_wants(at_trained):
    trained, client = at_trained
    (logged,) = all_runs(client)
    assert logged.info.status == "FINISHED"
    assert logged.data.tags["run_key"] == trained.key
    assert logged.data.tags["seed"] == "0"
    expected = {
        "kernel_size": "3",
        "dropout": "true",
        "optimizer": "adam",
        "data_format": "channels_last",
        "seed": "0",
        "protocol": "clean",
        "parameters": str(trained.parameters),
    }
    assert expected.items() <= logged.data.params.items()
    assert logged.data.metrics["test_error"] == evaluate(trained).test_error
    assert logged.inputs.dataset_inputs[0].dataset.name == "mnist5k"
    artifacts = {item.path for item in client.list_artifacts(logged.info.run_id)}
    shown = {"config.yaml", "model_summary.txt", "confusion_matrix.png", "errors_per_class.csv"}
    assert shown <= artifacts
    assert logged.info.run_name == "conv_pair s0"
    assert logged.data.tags["full_name"] == "conv_pair seed=0"
    for name, values in trained.history.items():
        points = client.get_metric_history(logged.info.run_id, name)
        assert [point.step for point in points] == [1, 2, 3]
        assert [point.value for point in points] == pytest.approx(values, abs=1e-6)


def test_a_run_asked_for_again_is_logged_once(at_trained):
    trained, client = at_trained
    assert train(compose_run(*ARGUMENTS)) == trained
    (logged,) = all_runs(client)
    assert len(client.get_metric_history(logged.info.run_id, "loss")) == 3
    assert len(client.get_metric_history(logged.info.run_id, "test_error")) == 1


def test_a_run_that_mlflow_lost_is_logged_from_its_files(at_trained):
    trained, client = at_trained
    (lost,) = all_runs(client)
    client.delete_run(lost.info.run_id)
    train(compose_run(*ARGUMENTS))
    (logged,) = all_runs(client)
    assert logged.info.run_id != lost.info.run_id
    assert logged.data.tags["run_key"] == trained.key
    assert logged.data.metrics == lost.data.metrics
    assert logged.data.params == lost.data.params


def test_classes_that_have_names_are_told_by_them(at_trained):
    _, client = at_trained
    (numbered,) = all_runs(client)
    picture = artifact(client, numbered, "confusion_matrix.png")
    client.delete_run(numbered.info.run_id)
    names = ["nought", "one, or a stroke", *"abcdefgh"]
    train(compose_run(*ARGUMENTS, f"+dataset.class_names={json.dumps(names)}"))
    (named,) = all_runs(client)
    table = pd.read_csv(artifact(client, named, "errors_per_class.csv"))
    assert list(table["class"]) == names
    assert artifact(client, named, "confusion_matrix.png").read_bytes() != picture.read_bytes()


def artifact(client, run, name):
    return Path(client.download_artifacts(run.info.run_id, name))


HANGING = """
import json, sys, time
from sidebyside.config.schema import Tracking
from sidebyside.engine.recipe import read_recipe
from sidebyside.storage.results import StudyRun
from sidebyside.tracking.client import Tracker
from sidebyside.tracking.publisher import Publisher
from sidebyside.tracking.published.contents import Card
card = Card(StudyRun("dead", "", {}, 0), read_recipe(json.loads(sys.argv[1])))
Tracker(Tracking(uri=None, experiment="sidebyside")).open_run(card)
print("open", flush=True)
time.sleep(600)
"""


@pytest.mark.slow
def test_a_run_of_a_dead_process_is_closed_and_a_live_one_is_not(compose, client):
    tracker = Tracker(Tracking(uri=None, experiment="sidebyside"))
    tracker.prepare()
    tracker.open_parent("alive", {"level": "parent"}, reopen=False)
    recipe = check(compose()).recipe()
    command = [sys.executable, "-c", HANGING, json.dumps(recipe.as_json())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ) as process:
        assert process.stdout.readline() == b"open\n"
        assert tracker.close_dead() == 0
        process.send_signal(signal.SIGKILL)
    assert tracker.close_dead() == 1
    statuses = {run.info.run_name: run.info.status for run in all_runs(client)}
    assert statuses == {"alive": "RUNNING", "conv_pair s0": "KILLED"}


def test_a_stopped_run_of_another_machine_is_closed_for_whoever_has_stopped_it(compose, client):
    tracker = Tracker(Tracking(uri=None, experiment="sidebyside"))
    tracker.prepare()
    run = tracker.open_run(Card(StudyRun("far", "", {}, 0), check(compose()).recipe()))
    client.set_tag(run.info.run_id, "mlflow.process.host", "another")
    assert tracker.close_dead() == tracker.close_dead(stopped=["near"]) == 0
    assert tracker.close_dead(stopped=["far"]) == 1
    (logged,) = all_runs(client)
    assert logged.info.status == "KILLED"


@pytest.mark.timeout(60)
def test_a_training_never_waits_for_a_publisher_that_has_met_an_error(compose, client):
    tracker = Tracker(Tracking(uri=None, experiment="sidebyside"))
    tracker.prepare()
    card = Card(StudyRun("long", "", {}, 0), check(compose()).recipe())
    with Publisher(tracker, card) as publisher:
        publisher.log_epoch("no number", {"loss": 1.0})
        for epoch in range(1, 1201):  # more than may wait
            publisher.log_epoch(epoch, {"loss": 1.0})
    (logged,) = all_runs(client)
    steps = {point.step for point in client.get_metric_history(logged.info.run_id, "loss")}
    assert 1200 in steps


def test_a_failure_is_recorded_with_its_reason(compose, client):
    tracker = Tracker(Tracking(uri=None, experiment="sidebyside"))
    tracker.prepare()
    card = Card(StudyRun("broken", "", {}, 0), check(compose()).recipe())
    tracker.end_early(card, "FAILED", "the reason")
    (logged,) = all_runs(client)
    assert logged.info.status == "FAILED"
    assert mlflow.artifacts.load_text(f"{logged.info.artifact_uri}/failure.txt") == "the reason"


@pytest.mark.slow
def test_a_new_column_reaches_runs_that_were_published_before(tmp_path, home, client):
    edited = copy_project(tmp_path / "project")
    command = [sys.executable, str(edited / "pipelines" / "train.py"), *ARGUMENTS]
    assert run(command, edited, home).returncode == 0
    contents = edited / "src" / "sidebyside" / "tracking" / "published" / "contents.py"
    before = '"seed": recipe.seed,'
    text = contents.read_text()
    assert before in text
    contents.write_text(text.replace(before, f'{before} "a_new_column": "told",'))
    assert run(command, edited, home).returncode == 0
    (logged,) = all_runs(client)
    assert logged.data.params["a_new_column"] == "told"
    assert len(client.get_metric_history(logged.info.run_id, "test_error")) == 1
