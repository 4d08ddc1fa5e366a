"""A study from Python: what it refuses before anything is trained."""

import pytest

from sidebyside import UserError, compose, run_study
from sidebyside.files import read_json
from support.projects import copy_project
from support.repositories import launch_roles
from support.sweeps import parents_of, runs_at, runs_of, sweep_here


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
