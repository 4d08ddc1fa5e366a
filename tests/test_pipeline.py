"""``dvc repro`` and DVC's experiments, for real, in a repository of their own."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml

from conftest import FOREIGN, copy_project

pytestmark = pytest.mark.slow

MODEL = {
    "name": "tiny",
    "kernel_size": 3,
    "dropout": True,
    "kernel_initializer": "glorot_uniform",
    "blocks": [
        {"type": "conv", "filters": 4},
        {"type": "pool"},
        {"type": "dropout", "rate": 0.25},
        {"type": "flatten"},
        {"type": "dense", "units": 16},
    ],
}
STUDY = """# @package _global_
study:
  name: tiny
hydra:
  sweeper:
    params:
      model: tiny
      data_format: channels_last,channels_first
      seed: range(0,${training.seeds})
"""


class Repository:
    """A project under git and DVC, whose home is its own root."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, *command: str, **more: str) -> str:
        """Run a command to its end and return what it printed."""
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self._environment() | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=400,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def lock(self) -> str:
        """Return the content of dvc.lock."""
        return (self.root / "dvc.lock").read_text()

    def comparison(self) -> dict:
        """Return comparison.json."""
        return json.loads((self.report / "comparison.json").read_text())

    @property
    def report(self) -> Path:
        """The folder of the study's report."""
        return self.root / "reports" / "mnist5k" / "tiny"

    def runs(self, home: Path | None = None) -> pd.DataFrame:
        """Return MLflow's runs."""
        mlflow.set_tracking_uri(f"sqlite:///{(home or self.root) / 'mlflow.db'}")
        return mlflow.search_runs(experiment_names=["sidebyside"])

    @staticmethod
    def _environment() -> dict[str, str]:
        named = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        for role in ("AUTHOR", "COMMITTER"):
            named |= {f"GIT_{role}_NAME": "test", f"GIT_{role}_EMAIL": "test@example.org"}
        ours = (*FOREIGN, "SIDEBYSIDE_ROOT", "SIDEBYSIDE_HOME", "PYTHONPATH")
        return {key: value for key, value in os.environ.items() if key not in ours} | named


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Repository:
    """A repository in which a study of 2 variants and 2 seeds was reproduced once."""
    root = copy_project(tmp_path_factory.mktemp("repository"))
    (root / "conf" / "model" / "tiny.yaml").write_text(yaml.safe_dump(MODEL))
    (root / "conf" / "study" / "tiny.yaml").write_text(STUDY)
    params = yaml.safe_load((root / "params.yaml").read_text())
    params["select"]["study"] = "tiny"
    params["training"]["epochs"] = 1
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    repository = Repository(root)
    repository.run("git", "init", "-q")
    repository.run("dvc", "init", "-q")
    repository.run("dvc", "config", "core.analytics", "false")
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
    for name in ("errors", "learning_curves", "confusion_best", "samples"):
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
    assert children["tags.mlflow.parentRunId"].nunique() == 1
    table = pd.read_csv(repository.report / "runs.csv").set_index("key")
    errors = children.set_index("tags.run_key")["metrics.test_error"]
    assert errors.to_dict() == table["test_error"].to_dict()


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


def launch_roles(runs: pd.DataFrame) -> list[str]:
    """Return what launches did with runs, over all launches."""
    return runs.filter(like="tags.launch.").stack().tolist()


def test_hydra_shares_the_runs_of_dvc(repository):
    before = sorted(path.name for path in (repository.root / "runs").glob("*/run.json"))
    printed = repository.run("python", "pipelines/train.py", "-m", "study=tiny")
    assert "Variants by mean test error" in printed
    assert sorted(path.name for path in (repository.root / "runs").glob("*/run.json")) == before
    runs = repository.runs()
    assert runs["tags.mlflow.parentRunId"].dropna().nunique() == 1
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


def test_damaged_results_are_refused_by_name(repository, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(repository.root, copy, ignore=shutil.ignore_patterns("runs", ".dvc", ".git"))
    damaged = sorted((copy / "results").glob("mnist5k/tiny/train/*/model.weights.h5"))[3]
    content = bytearray(damaged.read_bytes())
    content[-5] ^= 1
    damaged.write_bytes(content)
    done = subprocess.run(
        [sys.executable, "pipelines/evaluate.py", "study=tiny"],
        cwd=copy,
        env=Repository._environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert damaged.parent.name[:12] in done.stderr
    assert "model.weights.h5 is missing or its content has changed" in done.stderr


def test_dvc_shows_metrics_and_plots(repository, tmp_path):
    shown = json.loads(repository.run("dvc", "metrics", "show", "--json"))
    (metrics,) = shown[""]["data"].values()
    errors = {v["name"]: v["test_error"]["mean"] for v in repository.comparison()["variants"]}
    assert {name: one["test_error"] for name, one in metrics["data"].items()} == errors
    repository.run("dvc", "plots", "show", "-o", str(tmp_path))
    assert "errors.png" in (tmp_path / "index.html").read_text()


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
    queued = runs[runs["params.epochs"].eq("2")]
    assert len(queued) == 4
    assert set(queued["status"]) == {"FINISHED"}
    assert queued["metrics.test_error"].notna().all()
    for key in queued["tags.run_key"]:
        assert (repository.root / "runs" / key / "run.json").is_file()
    assert "training.epochs" in repository.run("dvc", "exp", "show", "--csv")
