"""A study from Python: what it refuses before anything is trained."""

import pytest

from sidebyside import UserError, compose, run_study
from sidebyside.config.compose import compose_grid
from sidebyside.execution.executors import LocalExecutor
from sidebyside.execution.study import run_grid


def test_a_config_without_a_study_is_refused(home):
    with pytest.raises(UserError, match="No study is selected"):
        run_study(compose())
    assert not (home / "runs").exists()


def test_a_stopping_rule_without_test_errors_is_refused(home, tmp_path):
    overrides = ["study=factorial", "model.kernel_size=3", "model.dropout=true", "optimizer=adam"]
    overrides += ["study.target_halfwidth=0.1", "evaluate=false", "seed=0"]
    grid = compose_grid(overrides)
    assert len(grid) == 2
    with pytest.raises(UserError, match=r"target_halfwidth=0.1 needs test errors"):
        run_grid(grid, LocalExecutor(), tmp_path)
    assert not (home / "runs").exists()
