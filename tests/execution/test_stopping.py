"""Adding seeds until each variant's interval is narrow enough."""

import sys

import pytest

from sidebyside.analysis.intervals import halfwidth
from sidebyside.execution.stopping import seeds_to_add
from support.processes import run
from support.projects import TINY


def test_only_wide_intervals_get_seeds_and_none_more_than_allowed():
    errors = {
        "narrow": [1.0, 1.001, 0.999],
        "wide": [1.0, 2.0, 3.0],
        "one run": [1.0],
        "at the limit": [1.0, 2.0, 3.0, 4.0, 5.0],
    }
    assert seeds_to_add(errors, 0.05, 5) == {"wide": 2, "one run": 1}


def test_as_many_as_the_spread_asks_for():
    values = [1.0, 1.1, 0.9, 1.05]
    target = halfwidth(values, 6)
    assert seeds_to_add({"": values}, target, 20) == {"": 2}
    assert seeds_to_add({"": values}, halfwidth(values, 4), 20) == {}


@pytest.fixture
def study(project, tmp_path):
    def launched(*arguments):
        command = [sys.executable, str(project / "pipelines" / "train.py"), "-m", *TINY]
        command += ["study=factorial", "model.kernel_size=3", "model.dropout=true"]
        command += ["optimizer=adam", "data_format=channels_last", *arguments]
        return run(command, project, tmp_path)

    return launched


@pytest.mark.slow
def test_a_study_grows_until_it_may_not(study, tmp_path):
    done = study("seed=0,1", "study.target_halfwidth=0.001", "study.max_seeds=3")
    assert done.returncode == 0, done.stderr
    assert "Adding 1 runs: intervals are wider than +-0.001 points." in done.stdout
    assert len(list((tmp_path / "runs").glob("*/run.json"))) == 3
