"""A study's results to another tracking store."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time

import mlflow
import pytest

from support.processes import run_here, start
from support.projects import TINY, copy_project, environment

pytestmark = pytest.mark.slow

STUDY = ("study=factorial", "model.kernel_size=3", "model.dropout=true", "optimizer=adam,sgd")


@pytest.fixture(scope="module")
def studied(project, tmp_path_factory):
    """A workspace that is its own home, with a study of four runs."""
    root = copy_project(tmp_path_factory.mktemp("studied"))
    os.symlink(project / "data", root / "data")
    command = [sys.executable, str(root / "pipelines" / "train.py"), "-m", *TINY, *STUDY, "seed=0"]
    subprocess.run(command, env=environment(root, root), cwd=root, check=True, timeout=300)
    return root


def begin(root, home, uri):
    """Begin to publish the study from a home that has no run store."""
    return start([sys.executable, "-m", "sidebyside.cli.main", "sync", "--to", uri], root, home)


def publish(count, root, home, uri, fault):
    """Let processes publish the study at the same time, and all succeed."""
    everyone = [begin(root, home, uri) for _ in range(count)]
    for process in everyone:
        output, errors = process.communicate(timeout=400)
        assert process.returncode == fault.code, errors
        assert fault.says in output


def runs_in(uri):
    client = mlflow.MlflowClient(uri)
    found = client.search_runs(["1"], "tags.run_key != ''")
    return client, {run.data.tags["run_key"]: run for run in found}, len(found)


def content(client, run):
    """Return what should be the same wherever a run is published."""
    curves = {
        name: [
            (point.step, point.value) for point in client.get_metric_history(run.info.run_id, name)
        ]
        for name in run.data.metrics
    }
    tags = {
        name: value
        for name, value in run.data.tags.items()
        if not name.startswith("mlflow.") and name != "seconds"
    }
    data = [(one.dataset.name, one.dataset.digest) for one in run.inputs.dataset_inputs]
    files = sorted(one.path for one in client.list_artifacts(run.info.run_id))
    return run.data.params, curves, tags, data, files, run.info.status


def test_a_new_store_gets_what_the_original_has_once(studied, tmp_path):
    uri = f"sqlite:///{tmp_path / 'other.db'}"
    for expected in ("4 are new", "4 were there"):
        process = begin(studied, tmp_path, uri)
        output, errors = process.communicate(timeout=200)
        assert process.returncode == 0, errors
        assert expected in output
    client, published, count = runs_in(uri)
    original_client, originals, _ = runs_in(f"sqlite:///{studied / 'mlflow.db'}")
    assert count == 4
    assert published.keys() == originals.keys()
    for key, run in published.items():
        assert content(client, run) == content(original_client, originals[key])
    parents = client.search_runs(["1"], "tags.level = 'parent'")
    assert [parent.info.status for parent in parents] == ["FINISHED"]


def test_a_damaged_evaluation_is_refused_before_anything_is_published(studied, tmp_path):
    path, *_ = studied.glob("results/mnist5k/factorial/evaluate/*/predicted.npy")
    whole = path.read_bytes()
    path.write_bytes(whole + b"x")
    sync = [sys.executable, "-m", "sidebyside.cli.main", "sync"]
    sync += ["--to", f"sqlite:///{tmp_path / 'other.db'}"]
    done = run_here(sync, studied, tmp_path)
    path.write_bytes(whole)
    assert done.returncode == 2, done.stdout
    assert f"{path.parent} is missing or damaged: delete that folder and run the" in done.stderr
    assert not (tmp_path / "other.db").exists()


def test_figures_of_variants_are_all_by_the_metric_of_their_report(project, tmp_path):
    root = copy_project(tmp_path / "project")
    os.symlink(project / "data", root / "data")
    judged = ["study=factorial", "++study.metric=log_loss", "++study.margin=0.05"]
    grid = [*STUDY[1:], "data_format=channels_last", "seed=0,1"]

    def command(name, *arguments):
        done = run_here([sys.executable, *name.split(), *arguments], root, root)
        assert done.returncode == 0, done.stderr

    def told(database):
        client = mlflow.MlflowClient(f"sqlite:///{database}")
        tag = client.get_experiment("1").tags["mlflow.sharedViewState.factorial-mnist5k"]
        variants = client.search_runs(["1"], "tags.level = 'variant'")
        names = ("log_loss", "sd", "interval_low", "test_error", "n")
        figures = {
            run.data.tags["variant"]: [run.data.metrics[name] for name in names] for run in variants
        }
        return json.loads(json.loads(tag)["state"])["orderByKey"], figures

    train, compare = (str(root / "pipelines" / f"{name}.py") for name in ("train", "compare"))
    command(train, "-m", *TINY, *judged, *grid)
    command(compare, *judged)
    report = json.loads((root / "reports/mnist5k/factorial/comparison.json").read_text())
    known = {own["name"]: own["log_loss"] for own in report["variants"]}
    key, figures = told(root / "mlflow.db")
    assert key == "metrics.`log_loss`"
    assert {name: own[:2] for name, own in figures.items()} == {
        name: [own["mean"], own["sd"]] for name, own in known.items()
    }
    command(train, "-m", *TINY, *judged, *grid)
    assert told(root / "mlflow.db") == (key, figures)
    command("-m sidebyside.cli.main", "sync")
    assert told(root / "mlflow.db") == (key, figures)
    command("-m sidebyside.cli.main", "sync", "--to", f"sqlite:///{root / 'other.db'}")
    assert told(root / "other.db") == (key, figures)
    histories = _sd_of_variants(root / "other.db")
    assert all(len(history) == 1 for history in histories)


def _sd_of_variants(database):
    client = mlflow.MlflowClient(f"sqlite:///{database}")
    variants = client.search_runs(["1"], "tags.level = 'variant'")
    return [client.get_metric_history(run.info.run_id, "sd") for run in variants]


@pytest.mark.release
@pytest.mark.faults(
    fault="eight processes that meet a database that doesn't exist yet",
    lost="nothing",
    repeated="nothing: each run is there once",
    code=0,
    says="are in the tracking store",
)
def test_eight_at_once_meet_no_database(studied, tmp_path, fault):
    uri = f"sqlite:///{tmp_path / 'other.db'}"
    publish(8, studied, tmp_path, uri, fault)
    _, published, count = runs_in(uri)
    assert count == len(published) == 4


@pytest.mark.faults(
    fault="SIGKILL of `sidebyside sync`, then two of it at once",
    lost="nothing",
    repeated="nothing: each run is there once",
    code=0,
    says="are in the tracking store",
)
def test_two_at_once_and_one_interrupted_make_each_run_once(studied, tmp_path, fault):
    uri = f"sqlite:///{tmp_path / 'other.db'}"
    interrupted = begin(studied, tmp_path, uri)
    deadline = time.monotonic() + 100
    while not _some(tmp_path / "other.db"):
        assert time.monotonic() < deadline
        assert interrupted.poll() is None
        time.sleep(0.1)
    interrupted.send_signal(signal.SIGKILL)
    interrupted.wait()
    publish(2, studied, tmp_path, uri, fault)
    client, published, count = runs_in(uri)
    assert count == len(published) == 4
    assert {run.info.status for run in published.values()} == {"FINISHED"}
    for run in published.values():
        assert len(client.get_metric_history(run.info.run_id, "loss")) == 1


def _some(path) -> bool:
    """Whether a run is in the database; asked without MLflow, which would make its tables too."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            return bool(database.execute("select 1 from tags where key = 'run_key'").fetchone())
    except sqlite3.OperationalError:
        return False


def test_what_is_not_there_cannot_be_published(studied, tmp_path, monkeypatch):
    process = begin(studied, tmp_path, "http://someone:secret@127.0.0.1:9")
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 2
    assert "http://someone:***@127.0.0.1:9 can't be reached" in errors
    assert "secret" not in errors
