"""``dvc repro`` and DVC's experiments, for real, in a repository of their own."""

import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from support.repositories import Repository, launch_roles, make_repository

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Repository:
    """A repository in which a study of 2 variants and 2 seeds was reproduced once."""
    repository = make_repository(tmp_path_factory.mktemp("repository"))
    repository.run("dvc", "repro")
    repository.run("git", "add", "-A")
    repository.run("git", "commit", "-qm", "The first study")
    return repository


def test_the_report_keeps_its_contract(repository):
    comparison = repository.comparison()
    assert (comparison["dataset"], comparison["study"]) == ("mnist5k", "tiny")
    assert comparison["protocol"] == "clean"
    assert comparison["n_runs"] == 4
    assert comparison["factors"] == {
        "model": ["tiny"],
        "data_format": ["channels_last", "channels_first"],
    }
    assert len(comparison["variants"]) == 2
    for variant in comparison["variants"]:
        assert variant["n"] == 2
        error = variant["test_error"]
        assert 0 < error["mean"] < 100
        assert error["low"] <= error["mean"] <= error["high"]
    for name in ("confusion_best", "samples"):
        assert (repository.report / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert (repository.report / "pictures" / "pairs.svg").read_text().startswith("<?xml")
    assert "<html" in (repository.report / "report.html").read_text()
    for untracked in ("costs.json", "report.html"):
        assert f"tiny/{untracked}" not in repository.lock()
    assert (repository.report / "costs.json").is_file()


def test_the_evidence_gives_the_errors_of_the_report(repository):
    with np.load(repository.report / "evidence.npz") as evidence:
        wrong = (evidence["predicted"] != evidence["target"]).mean(axis=1) * 100
        variants = evidence["variant"]
    for variant in repository.comparison()["variants"]:
        mean = wrong[variants == variant["name"]].mean()
        assert variant["test_error"]["mean"] == pytest.approx(mean, abs=1e-6)


def test_mlflow_has_the_runs_and_errors_of_the_report(repository):
    runs = repository.runs()
    children = runs[runs["tags.study"].eq("tiny") & runs["tags.run_key"].notna()]
    assert len(children) == 4
    assert set(children["status"]) == {"FINISHED"}
    assert_under_one_study(runs, children)
    table = pd.read_csv(repository.report / "runs.csv").set_index("key")
    errors = children.set_index("tags.run_key")["metrics.test_error"]
    assert errors.to_dict() == table["test_error"].to_dict()


def assert_under_one_study(runs, children):
    """Assert that runs lie under their variants, and these under one study."""
    variants = runs[runs["tags.level"] == "variant"].set_index("run_id")
    assert set(children["tags.mlflow.parentRunId"]) == set(variants.index)
    assert children.groupby("tags.variant")["tags.mlflow.parentRunId"].nunique().eq(1).all()
    assert variants["tags.mlflow.parentRunId"].nunique() == 1


def test_a_second_repro_does_nothing(repository):
    before = repository.lock()
    assert "Data and pipelines are up to date" in repository.run("dvc", "repro")
    assert repository.lock() == before
    assert repository.run("git", "status", "--short") == ""


def test_everything_trained_anew_leaves_the_lock_as_it_is(repository):
    before = repository.lock()
    launches = launch_roles(repository.runs())
    printed = repository.run("dvc", "repro", "--force", SIDEBYSIDE_RETRAIN="1")
    assert "4/4 runs" in printed
    assert launch_roles(repository.runs()).count("retrained") == launches.count("retrained") + 4
    assert repository.lock() == before
    assert repository.run("git", "status", "--short") == ""


def test_hydra_shares_the_runs_of_dvc(repository):
    before = sorted(path.name for path in (repository.root / "runs").glob("*/run.json"))
    printed = repository.run("python", "pipelines/train.py", "-m", "study=tiny")
    assert "Variants by mean test error" in printed
    assert sorted(path.name for path in (repository.root / "runs").glob("*/run.json")) == before
    runs = repository.runs()
    assert_under_one_study(runs, runs[runs["tags.run_key"].notna()])
    assert "up to date" in repository.run("dvc", "status")  # the same results


def test_hydra_trains_the_bits_that_dvc_trained(repository, tmp_path):
    repository.run(
        "python", "pipelines/train.py", "-m", "study=tiny", "seed=0", SIDEBYSIDE_HOME=str(tmp_path)
    )
    cards = [json.loads(path.read_text()) for path in (tmp_path / "runs").glob("*/run.json")]
    assert len(cards) == 2
    for card in cards:
        stored = json.loads((repository.root / "runs" / card["key"] / "run.json").read_text())
        assert card == stored
    repository.run("dvc", "checkout", "--force")  # the results of all four runs again


def test_results_from_dvc_alone_are_published(repository, tmp_path):
    evaluate = ("python", "pipelines/evaluate.py", "study=tiny")
    for _ in range(2):  # the second time there is nothing left to do
        repository.run(*evaluate, SIDEBYSIDE_HOME=str(tmp_path))
        runs = repository.runs(tmp_path)
        children = runs[runs["tags.run_key"].notna()].set_index("tags.run_key")
        table = pd.read_csv(repository.report / "runs.csv").set_index("key")
        assert children["metrics.test_error"].to_dict() == table["test_error"].to_dict()
        assert set(children["status"]) == {"FINISHED"}
        assert children["metrics.val_accuracy"].notna().all()


def test_dvc_shows_metrics_and_plots(repository, tmp_path):
    shown = json.loads(repository.run("dvc", "metrics", "show", "--json"))
    rows = {Path(path).stem: row["data"] for path, row in shown[""]["data"].items()}
    variants = repository.comparison()["variants"]
    errors = {f"tiny,{v['factors']['data_format']}": v["test_error"]["mean"] for v in variants}
    assert {name: row["test_error"] for name, row in rows.items()} == errors
    # A row a variant, whose name is the first of five columns.
    columns = {"n", "test_error", "test_error_low", "test_error_high"}
    assert all(row.keys() == columns for row in rows.values())
    repository.run("dvc", "plots", "show", "-o", str(tmp_path))
    page = (tmp_path / "index.html").read_text()
    assert "variants.svg" in page


def test_a_queued_experiment_shares_home(repository):
    lock = repository.lock()
    repository.run("dvc", "exp", "run", "--queue", "-S", "training.epochs=2")
    repository.run("dvc", "queue", "start")
    deadline = time.monotonic() + 240
    while "Success" not in (status := repository.run("dvc", "queue", "status")):
        assert "Failed" not in status, repository.run("dvc", "queue", "logs", status.split()[6])
        assert time.monotonic() < deadline, status
        time.sleep(2)
    assert repository.lock() == lock
    runs = repository.runs()
    of_two = runs[runs["params.epochs"].eq("2")]
    assert (of_two["tags.level"] == "variant").sum() == 2  # in place of those of one epoch
    queued = of_two[of_two["tags.level"] == "run"]
    assert len(queued) == 4
    assert set(queued["status"]) == {"FINISHED"}
    assert queued["metrics.test_error"].notna().all()
    for key in queued["tags.run_key"]:
        assert (repository.root / "runs" / key / "run.json").is_file()
    assert "training.epochs" in repository.run("dvc", "exp", "show", "--csv")
