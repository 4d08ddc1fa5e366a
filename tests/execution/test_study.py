"""A study from Python: what it refuses before anything is trained."""

import shutil

import pytest
from mlflow import MlflowClient

from sidebyside import UserError, compose, run_study
from sidebyside.files import read_json
from support.projects import copy_project
from support.repositories import launch_roles
from support.sweeps import keys_in, parents_of, runs_at, runs_of, sweep_here


def test_a_config_without_a_study_is_refused(home):
    with pytest.raises(UserError, match="No study is selected"):
        run_study(compose())
    assert not (home / "runs").exists()


@pytest.mark.slow
def test_of_many_finished_runs_mlflow_is_asked_for_none(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr("sidebyside.execution.reused.MANY", 4)
    project, home = copy_project(tmp_path / "project"), tmp_path / "home"
    (project / "data").symlink_to(prepared)
    home.mkdir()
    grid = ("study=factorial", "model.kernel_size=3,5", "model.dropout=true", "optimizer=adam")
    grid += ("data_format=channels_last", "seed=0,1")
    for _ in range(2):
        done = sweep_here(project, home, *grid)
        assert done.returncode == 0, done.stderr
    assert launch_roles(runs_of(home)) == ["trained"] * 4
    told = launch_roles(parents_of(home))
    assert told == ["4 runs were finished and published before"]
    other = f"sqlite:///{home / 'other.db'}"  # it has other parents, and is given all

    def interrupted(*given, **settings):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("sidebyside.execution.launch.train_job", interrupted)
        done = sweep_here(project, home, *grid, f"tracking.uri={other}")
    assert done.returncode == 130
    assert "Interrupted: 4 of 4 runs are finished and kept." in done.stderr
    kept = read_json(project / "results" / "mnist5k" / "factorial" / "train" / "study.json")
    assert len(kept["runs"]) == 4
    assert sweep_here(project, home, *grid, f"tracking.uri={other}").returncode == 0
    runs = runs_at(other)
    assert launch_roles(runs) == ["reused"] * 4
    assert runs["metrics.test_error"].notna().all()
    with monkeypatch.context() as patch:  # another recipe takes the place of this one
        patch.setattr("sidebyside.execution.launch.task_of", interrupted)
        done = sweep_here(project, home, *grid, "training.batch_size=64")
    assert done.returncode == 130
    assert sweep_here(project, home, *grid).returncode == 0
    runs = runs_of(home)
    in_study = runs[(runs["tags.level"] == "run") & (runs["tags.study"] == "factorial")]
    assert list(in_study["status"]) == ["FINISHED"] * 4


@pytest.mark.slow
def test_ctrl_c_leaves_what_another_machine_is_training(prepared, tmp_path, monkeypatch):
    project, home = copy_project(tmp_path / "project"), tmp_path / "home"
    (project / "data").symlink_to(prepared)
    home.mkdir()
    assert sweep_here(project, home, "seed=0").returncode == 0
    (run,) = runs_of(home).itertuples()
    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    client.set_tag(run.run_id, "mlflow.process.host", "another")
    client.update_run(run.run_id, "RUNNING")
    (key,) = keys_in(home)
    shutil.rmtree(home / "runs" / key)  # it isn't finished here yet

    def interrupted(*given, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr("sidebyside.execution.launch.task_of", interrupted)
    assert sweep_here(project, home, "seed=0").returncode == 130
    assert client.get_run(run.run_id).info.status == "RUNNING"
