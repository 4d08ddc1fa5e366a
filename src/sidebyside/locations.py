"""Where everything lives.

Code, config, data and results belong to a workspace; what has been trained and logged belongs to
the *home*, which all workspaces of a project share.
"""

import os
from pathlib import Path


def root() -> Path:
    """Return the root of the workspace whose code is running.

    A stage script sets ``SIDEBYSIDE_ROOT`` to its own project, so that an experiment in a
    temporary workspace uses the code and config found there.
    """
    named = os.environ.get("SIDEBYSIDE_ROOT")
    return Path(named) if named else Path(__file__).resolve().parents[2]


def home() -> Path:
    """Return the folder of the run store and the tracking store.

    ``SIDEBYSIDE_HOME`` if set; else DVC's main workspace (``DVC_ROOT``, which DVC also sets inside
    the temporary workspaces of queued experiments); else the root.
    """
    named = os.environ.get("SIDEBYSIDE_HOME") or os.environ.get("DVC_ROOT")
    return Path(named).resolve() if named else root()


def raw(dataset: str) -> Path:
    """Return the folder of a dataset's decompressed IDX files."""
    return root() / "data" / "raw" / dataset


def processed(dataset: str, data_format: str) -> Path:
    """Return the folder of a dataset's arrays in one data format."""
    return root() / "data" / "processed" / dataset / data_format


def runs() -> Path:
    """Return the run store."""
    return home() / "runs"


def results(dataset: str, study: str, stage: str) -> Path:
    """Return what ``stage`` ("train" or "evaluate") hands to the stages after it."""
    return root() / "results" / dataset / study / stage


def reports(dataset: str, study: str) -> Path:
    """Return the folder of a study's report."""
    return root() / "reports" / dataset / study
