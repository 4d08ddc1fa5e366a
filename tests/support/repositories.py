"""Repositories under git and DVC, with a small study of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import mlflow
import pandas as pd
import yaml

from support.projects import FOREIGN, copy_project

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
            env=self.environment() | more,
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
    def environment() -> dict[str, str]:
        named = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        for role in ("AUTHOR", "COMMITTER"):
            named |= {f"GIT_{role}_NAME": "test", f"GIT_{role}_EMAIL": "test@example.org"}
        ours = (*FOREIGN, "SIDEBYSIDE_ROOT", "SIDEBYSIDE_HOME", "PYTHONPATH")
        return {key: value for key, value in os.environ.items() if key not in ours} | named


def make_repository(root: Path) -> Repository:
    """Return a project with a study of 2 variants and 2 seeds, not yet reproduced."""
    copy_project(root)
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
    return repository


def launch_roles(runs: pd.DataFrame) -> list[str]:
    """Return what launches did with runs, over all launches."""
    return runs.filter(like="tags.mlflow.launch.").stack().dropna().tolist()
