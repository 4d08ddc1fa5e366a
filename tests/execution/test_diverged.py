"""A training whose loss is no number any more: a failure by default, a result by choice."""

import re
import shutil
import sys

import pytest

from support.processes import run_here as run
from support.sweeps import keys_in, runs_of, sweep_here

pytestmark = pytest.mark.slow

GRID = (
    "study=factorial",
    "model.kernel_size=3",
    "model.dropout=true",
    "optimizer=sgd",
    "optimizer.learning_rate=0.1,1e30",
    "data_format=channels_last",
    "seed=0",
)


@pytest.fixture(scope="module")
def own(project, tmp_path_factory):
    """A copy of the project, as a study leaves results in it."""
    return shutil.copytree(project, tmp_path_factory.mktemp("own") / "project")


@pytest.fixture(scope="module")
def failed(own, tmp_path_factory):
    """A study of which one of two runs diverges, its home and what it printed."""
    home = tmp_path_factory.mktemp("failed")
    return home, sweep_here(own, home, *GRID)


def compare(project, home):
    """Compare the study."""
    script = str(project / "pipelines" / "compare.py")
    return run([sys.executable, script, "study=factorial"], project, home)


def test_it_fails_alone_and_says_why(own, failed):
    home, done = failed
    assert done.returncode == 1
    assert "diverged in epoch 1: loss is nan" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    runs = runs_of(home).set_index("params.learning_rate")["status"]
    assert runs.to_dict() == {"0.1": "FINISHED", "1e+30": "FAILED"}
    refused = compare(own, home)
    assert refused.returncode == 2
    assert "learning_rate=1e+30,seed=0 (diverged in epoch 1: loss is nan)" in refused.stderr


def test_by_choice_it_counts_and_is_named(own, failed):
    home, _ = failed
    done = sweep_here(own, home, *GRID, "training.diverged=counts")
    assert done.returncode == 0, done.stderr
    assert len(keys_in(home)) == 2
    assert set(runs_of(home)["status"]) == {"FINISHED"}
    compared = compare(own, home)
    assert compared.returncode == 0, compared.stderr
    report = (own / "reports" / "mnist5k" / "factorial" / "comparison.md").read_text()
    assert re.search(
        r"- 1 of 2 runs diverged and count as they are: .*=1e\+30.* seed 0\.\n", report
    )
    assert " training.diverged=counts " in report
    command = [sys.executable, "-m", "sidebyside.cli.main", "verify", "bits", "--all"]
    verified = run([*command, "--study=factorial", "--dataset=mnist5k"], own, home)
    assert verified.returncode == 0, verified.stdout
    assert "2 of 2 runs have the same bits" in verified.stdout
