"""A project that was copied: its artifacts are its own."""

import json
import shutil

import mlflow
import pytest

from sidebyside.cli.main import main
from sidebyside.tracking.client import Tracker
from sidebyside.tracking.moved import follow_the_project, written_elsewhere
from support.stores import TRACKING, publish_study


@pytest.fixture
def two_homes(tracking_home, tmp_path, monkeypatch):
    """A home with a study, and a copy of it, which is the one that is used."""
    publish_study(Tracker(TRACKING), {3: [4.0]})
    copy = tmp_path / "copy of it"
    shutil.copytree(tracking_home, copy)
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(copy))
    return tracking_home, copy


def files_in(home):
    return {path: path.stat().st_mtime_ns for path in home.rglob("*") if path.is_file()}


def test_a_copied_project_writes_into_itself(two_homes):
    original, copy = two_homes
    before = files_in(original)
    assert written_elsewhere(copy / "mlflow.db") == original / "mlartifacts"
    parent = publish_study(Tracker(TRACKING), {3: [4.0, 5.0]})
    assert written_elsewhere(copy / "mlflow.db") is None
    (copy / "note.txt").write_text("new")
    Tracker(TRACKING).log_file(parent, copy / "note.txt")
    assert files_in(original) == before
    client = mlflow.MlflowClient(f"sqlite:///{copy / 'mlflow.db'}")
    runs = client.search_runs(["1"], "tags.run_key != ''")
    assert len(runs) == 2
    for run in [*runs, client.get_run(parent)]:  # those of before among them
        assert run.info.artifact_uri.startswith((copy / "mlartifacts").as_uri())
        assert client.list_artifacts(run.info.run_id)


@pytest.mark.slow
def test_doctor_sees_it_and_mends_it(two_homes, capsys):
    original, copy = two_homes
    for options, level in (([], "note"), (["--fix"], "good"), ([], "good")):
        with pytest.raises(SystemExit):
            main(["doctor", "--json", *options])
        found = json.loads(capsys.readouterr().out)
        (own,) = [one for one in found if one["check"] == "artifacts"]
        assert own["level"] == level
        assert (str(original) in own["said"]) is (level == "note")
    assert written_elsewhere(copy / "mlflow.db") is None


def test_what_is_where_it_belongs_is_left_alone(tracking_home, tmp_path):
    database = tracking_home / "mlflow.db"
    assert written_elsewhere(tmp_path / "none.db") is follow_the_project(database) is None
    publish_study(Tracker(TRACKING), {3: [4.0]})
    assert written_elsewhere(database) is follow_the_project(database) is None
    elsewhere = tmp_path / "link"  # the same folder by another way
    elsewhere.symlink_to(tracking_home)
    assert written_elsewhere(elsewhere / "mlflow.db") is None
