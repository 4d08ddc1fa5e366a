"""A Hydra multirun: the same runs in the run store, in MLflow and in the table."""

import re
import sys

import pytest

from sidebyside.engine.training.numerics import resolve
from support.processes import run_here
from support.projects import TINY
from support.sweeps import keys_in, parents_of, runs_of, sweep_here, variants_of

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
    assert list(parents["tags.mlflow.runName"]) == [
        "conv_pair on mnist5k: kernel_size x optimizer x seed"
    ]
    variants = variants_of(home).set_index("run_id")
    assert set(variants["tags.mlflow.parentRunId"]) == set(parents["run_id"])
    assert set(variants["status"]) == {"FINISHED"}
    by_variant = runs.groupby("tags.mlflow.parentRunId")
    assert by_variant["tags.all_but_seed"].nunique().eq(1).all()
    assert set(runs["tags.all_but_seed"]) == {"3x3 adam", "3x3 sgd", "5x5 adam", "5x5 sgd"}
    assert (
        by_variant.size().to_dict()
        == variants["metrics.n"].to_dict()
        == dict.fromkeys(variants.index, 2)
    )
    means = by_variant["metrics.test_error"].agg(["mean", "std"]).loc[variants.index]
    assert variants["metrics.test_error"].tolist() == pytest.approx(means["mean"].tolist())
    assert variants["metrics.sd"].tolist() == pytest.approx(means["std"].tolist(), abs=1e-6)
    for column in ("kernel_size", "dropout", "optimizer", "data_format", "seed", "protocol"):
        assert runs[f"params.{column}"].notna().all()
    assert (runs["metrics.test_error"] > 0).all()
    assert (runs["params.parameters"].astype(int) > 0).all()
    figures = {"loss", "accuracy", "val_loss", "val_accuracy", "test_error", "test_loss"}
    known = runs.filter(like="metrics.").dropna(axis="columns", how="all").columns
    assert {name.removeprefix("metrics.") for name in known} == figures


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
    roles = runs_of(home).filter(like="tags.mlflow.launch.").stack().tolist()
    assert roles.count("retrained") == 2


@pytest.mark.usefixtures("one_thread")
def test_a_run_alone_says_what_was_done_for_it(project, tmp_path):
    command = [sys.executable, str(project / "pipelines" / "train.py"), *TINY]
    for again in ("0", "0", "1"):
        done = run_here(command, project, tmp_path, SIDEBYSIDE_RETRAIN=again)
        assert done.returncode == 0, done.stderr
    roles = runs_of(tmp_path).filter(like="tags.mlflow.launch.").stack().tolist()
    assert sorted(roles) == ["retrained", "reused", "trained"]
    assert not list((tmp_path / "runs" / ".launches").glob("*/*"))


@pytest.mark.skipif(resolve("auto") == "native", reason="this machine has one numeric class")
def test_numeric_classes_can_be_swept_and_are_told(project, tmp_path):
    done = sweep_here(project, tmp_path, "training.numerics=avx2,native")
    assert done.returncode == 0, done.stderr
    assert len(keys_in(tmp_path)) == 2
    assert "Numeric class avx2, not avx512: other bits than in committed results" in done.stderr
