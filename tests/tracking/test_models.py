"""Networks of a study as models in MLflow: which, whole, served, and who is champion."""

import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace

import keras
import mlflow
import numpy as np
import pytest
import requests

from sidebyside import paths
from sidebyside.config.schema import Tracking
from sidebyside.engine.scoring.saved_model import read_network
from sidebyside.files import read_json
from sidebyside.storage.evidence_files import read_evidence
from sidebyside.storage.results import load_study
from sidebyside.tracking.models.publish import publish_models
from support.browser import browsing, program
from support.processes import run_here
from support.projects import copy_project, environment, in_place
from support.servers import free_port, mlflow_server, wait_for
from support.sweeps import sweep_here
from support.ui import Ui

pytestmark = pytest.mark.slow

STUDY = (
    "study=factorial",
    "model.kernel_size=3",
    "model.dropout=true",
    "optimizer=adam,sgd",
    "data_format=channels_last",
    "seed=0,1",
)
TRACKING = Tracking(uri=None, experiment="sidebyside")
NAME = "sidebyside-mnist5k-factorial"


class Studied:
    """A project, its own home, with a study of two variants and its report."""

    def __init__(self, root):
        self.root = root
        self.uri = f"sqlite:///{root / 'mlflow.db'}"
        self.client = mlflow.MlflowClient(self.uri)
        self.report = root / "reports" / "mnist5k" / "factorial"
        self.train()

    def train(self, *more):
        """Train the study, and make its report anew; return what that said."""
        shutil.rmtree(self.report, ignore_errors=True)  # of another study of this name
        done = sweep_here(self.root, self.root, *STUDY, *more)
        assert done.returncode == 0, done.stderr
        compare = [sys.executable, str(self.root / "pipelines" / "compare.py"), "study=factorial"]
        done = run_here(compare, self.root, self.root)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def models(self):
        return {model.tags["variant"]: model for model in self.client.search_logged_models(["1"])}

    @property
    def champion(self):
        return self.client.get_model_version_by_alias(NAME, "champion")


@pytest.fixture(scope="module")
def studied(prepared, empty_database, tmp_path_factory, one_thread):
    root = copy_project(tmp_path_factory.mktemp("studied"))
    shutil.copytree(prepared, root / "data")
    shutil.copy(empty_database, root)
    with in_place(root, root):
        yield Studied(root)


def best_by_validation(root):
    with in_place(root, root):
        results = load_study("mnist5k", "factorial")
        best = {}
        for run in results.trained:
            accuracy = results.load(run).history["val_accuracy"][-1]
            if accuracy > best.get(run.variant, (0, None))[0]:
                best[run.variant] = accuracy, run.key
        return best


def test_the_best_seed_of_each_variant_is_a_model(studied):
    best = best_by_validation(studied.root)
    models = studied.models()
    assert {name: model.tags["run_key"] for name, model in models.items()} == {
        name: key for name, (_, key) in best.items()
    }
    for name, model in models.items():
        assert str(model.status) == "READY"
        error = 100 - 100 * best[name][0]
        assert float(model.tags["validation_error"]) == pytest.approx(error, abs=1e-3)
        run = studied.client.get_run(model.source_run_id)
        assert run.data.tags["run_key"] == model.tags["run_key"]
        assert [output.model_id for output in run.outputs.model_outputs] == [model.model_id]
        linked = {metric.key: metric for metric in model.metrics}
        assert linked.keys() == {"test_error", "test_loss"}
        for metric in linked.values():
            assert metric.value == run.data.metrics[metric.key]
            assert metric.dataset_name == "mnist5k"
        points = studied.client.get_metric_history(run.info.run_id, "test_error")
        assert len(points) == 1  # the model's is the run's
    said = studied.train()  # once more
    assert "models" not in said
    assert len(studied.client.search_logged_models(["1"])) == 2


def test_a_model_says_what_the_evidence_says(studied):
    mlflow.set_tracking_uri(studied.uri)
    evidence = read_evidence(studied.report / "evidence.npz")
    images = np.load(studied.root / "data/processed/mnist5k/channels_last/test_images.npy")
    known = {run.key: run for run in evidence.runs}
    for model in studied.models().values():
        network = mlflow.keras.load_model(model.model_uri)
        said = network.predict(images, verbose=0).argmax(axis=1)
        np.testing.assert_array_equal(said, known[model.tags["run_key"]].predicted)
        about = mlflow.models.get_model_info(model.model_uri)
        (given,), (returned,) = about.signature.inputs, about.signature.outputs
        assert (given.shape, returned.shape) == ((-1, 28, 28, 1), (-1, 10))
        required = mlflow.pyfunc.get_model_dependencies(model.model_uri)
        with open(required) as file:
            assert f"keras=={keras.__version__}" in file.read().split()
        example = mlflow.pyfunc.load_model(model.model_uri).input_example
        assert np.shape(example) == (1, 28, 28, 1)


def test_the_champion_answers_a_real_request(studied, tmp_path):
    images = np.load(studied.root / "data/processed/mnist5k/channels_last/test_images.npy")
    labels = np.load(studied.root / "data/processed/mnist5k/channels_last/test_labels.npy")
    network = read_network(paths.runs() / studied.champion.tags["run_key"])
    said = network.predict(images[:200], verbose=0).argmax(axis=1)
    right = np.flatnonzero(said == labels[:200].argmax(axis=1))[:3]
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"]
    command += ["--model-uri", f"models:/{NAME}@champion", "--port", str(port)]
    own = environment(studied.root, studied.root, MLFLOW_TRACKING_URI=studied.uri)
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(command, env=own, stdout=log, stderr=log, process_group=0)
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/ping"))
        sent = {"inputs": images[right].tolist()}
        answer = requests.post(f"http://127.0.0.1:{port}/invocations", json=sent, timeout=60)
        assert answer.status_code == 200, answer.text
        digits = np.argmax(answer.json()["predictions"], axis=1)
        assert list(digits) == list(labels[right].argmax(axis=1))
    finally:
        os.killpg(server.pid, 9)
        server.wait(timeout=60)


@pytest.fixture
def shown(studied):
    """The UI of the study, once it answers."""
    ui = Ui(studied.root, studied.root)
    try:
        ui.wait()
        yield f"http://sidebyside.localhost:{ui.port}/#"
    finally:
        ui.process.terminate()
        ui.process.wait()


def test_the_ui_leads_from_a_model_to_its_version(studied, shown, tmp_path):
    if program() is None:
        pytest.skip("no Chromium on the PATH to show the UI: apt-get install chromium")
    champion = studied.champion
    (model,) = [one for one in studied.models().values() if is_of(champion, one)]
    with browsing(tmp_path / "profile") as browser:
        browser.open(f"{shown}/experiments/1/models/{model.model_id}")
        browser.wait_for(model.name, "test_error", "mnist5k", "Model versions", NAME)
        browser.open(f"{shown}/models/{NAME}/versions/{champion.version}")
        browser.wait_for("champion", champion.tags["run_key"])


def is_of(version, model):
    return version.source == model.artifact_location


def answers(address):
    try:
        return requests.get(address, timeout=1).status_code == 200
    except requests.RequestException:
        return False


def test_the_champion_gives_way_to_a_better_one_alone(studied):
    first = studied.champion
    studied.train("training.epochs=3")
    better = studied.champion
    assert float(better.tags["validation_error"]) < float(first.tags["validation_error"])
    said = studied.train()  # as before: one epoch
    assert studied.champion.version == better.version
    assert f"version {better.version} stays the champion: its validation error is" in said
    said = studied.train("protocol=split20", "training.epochs=5")
    assert studied.champion.version == better.version
    assert "was validated under protocol split20 and it under clean" in said
    assert len(studied.client.search_model_versions(f"name = '{NAME}'")) == 3
    by_hand = studied.client.create_model_version(NAME, better.source)
    studied.client.set_registered_model_alias(NAME, "champion", by_hand.version)
    said = studied.train()
    assert studied.champion.version == by_hand.version
    assert "and it under an unknown one" in said


def test_a_registry_that_fails_costs_no_report(studied):
    with sqlite3.connect(studied.root / "mlflow.db") as database:
        database.execute("ALTER TABLE registered_models RENAME TO away")
    said = studied.train()
    assert "a model of its study, isn't in MLflow (MlflowException: " in said
    assert "no such table: registered_models" in said
    assert "Traceback" not in said
    assert (studied.report / "report.html").is_file()
    with sqlite3.connect(studied.root / "mlflow.db") as database:
        database.execute("ALTER TABLE away RENAME TO registered_models")
    assert "warning" not in studied.train()


@pytest.mark.cluster
def test_a_server_gets_them_and_a_config_says_which(studied, monkeypatch, tmp_path):
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(studied.root))
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(studied.root))
    folder = tmp_path / "server"
    folder.mkdir()
    with mlflow_server(f"sqlite:///{folder / 'mlflow.db'}", folder) as server:
        there = replace(TRACKING, uri=server.uri)
        client = mlflow.MlflowClient(server.uri)
        sync = [sys.executable, "-m", "sidebyside.cli.main", "sync", "--to", server.uri]
        own = environment(studied.root, studied.root)
        subprocess.run(sync, env=own, check=True, timeout=200)
        experiment = client.get_experiment_by_name("sidebyside").experiment_id
        assert len(client.search_logged_models([experiment])) == 2
        chosen = read_json(studied.report / "comparison.json")["selection"]["chosen"]
        for model in client.search_logged_models([experiment]):
            client.delete_logged_model(model.model_id)
        for which, count in (("none", 0), ("choice", 1), ("variants", 2)):
            publish_models("factorial", "mnist5k", replace(there, models=which), chosen)
            assert len(client.search_logged_models([experiment])) == count
        mlflow.set_tracking_uri(server.uri)
        network = mlflow.keras.load_model(f"models:/{NAME}@champion")
        assert network.count_params() > 0
