"""A Hydra multirun: the same runs in the run store, in MLflow and in the table."""

import re

import pytest

from sidebyside.engine.training.numerics import resolve
from support.sweeps import keys_in, parents_of, runs_of, sweep_here

pytestmark = pytest.mark.slow

GRID = ("model.kernel_size=3,5", "optimizer=adam,sgd", "seed=0,1")


@pytest.fixture(scope="module")
def swept(project, tmp_path_factory):
    """A finished multirun of eight runs, its home and what it printed."""
    home = tmp_path_factory.mktemp("swept")
    return home, sweep_here(project, home, *GRID)


def test_eight_runs_end_in_one_table_sorted_by_error(swept):
    home, done = swept
    assert done.returncode == 0, done.stderr
    assert len(keys_in(home)) == 8
    table = done.stdout.split("Variants by mean")[0]
    errors = [float(line.split("│")[4]) for line in table.splitlines() if line.startswith("│")]
    assert len(errors) == 8
    assert errors == sorted(errors)


def test_progress_counts_the_runs(swept):
    _, done = swept
    assert "0/8 runs" in done.stderr
    assert "8/8 runs" in done.stderr
    assert re.search(r"about \d+:\d\d:\d\d left", done.stderr)


def test_mlflow_has_the_same_runs_under_one_parent(swept):
    home, _ = swept
    runs, parents = runs_of(home), parents_of(home)
    assert set(runs["tags.run_key"]) == keys_in(home)
    assert set(runs["status"]) == {"FINISHED"}
    assert len(parents) == 1
    assert set(runs["tags.mlflow.parentRunId"]) == set(parents["run_id"])
    for column in ("kernel_size", "dropout", "optimizer", "data_format", "seed", "protocol"):
        assert runs[f"params.{column}"].notna().all()
    assert (runs["metrics.test_error"] > 0).all()
    assert (runs["metrics.parameters"].astype(int).astype(str) == runs["params.parameters"]).all()


def test_the_same_sweep_again_trains_nothing(project, swept):
    home, first = swept
    before = {key: (home / "runs" / key / "timing.json").read_text() for key in keys_in(home)}
    again = sweep_here(project, home, *GRID)
    assert again.returncode == 0, again.stderr
    after = {key: (home / "runs" / key / "timing.json").read_text() for key in keys_in(home)}
    assert after == before
    assert again.stdout == first.stdout
    assert len(runs_of(home)) == 8


def test_a_new_level_trains_only_the_new_runs(project, swept):
    home, _ = swept
    before = keys_in(home)
    more = sweep_here(project, home, "model.kernel_size=3,5,7", "optimizer=adam", "seed=0")
    assert more.returncode == 0, more.stderr
    assert len(keys_in(home) - before) == 1


def test_a_retrained_sweep_keeps_every_bit(project, swept):
    home, _ = swept
    done = sweep_here(project, home, "optimizer=adam,sgd", SIDEBYSIDE_RETRAIN="1")
    assert done.returncode == 0, done.stderr
    roles = runs_of(home).filter(like="tags.launch.").stack().tolist()
    assert roles.count("retrained") == 2


@pytest.mark.skipif(resolve("auto") == "native", reason="this machine has one numeric class")
def test_numeric_classes_can_be_swept_and_are_told(project, tmp_path):
    done = sweep_here(project, tmp_path, "training.numerics=avx2,native")
    assert done.returncode == 0, done.stderr
    assert len(keys_in(tmp_path)) == 2
    assert "Numeric class avx2, not avx512: other bits than in committed results" in done.stderr
