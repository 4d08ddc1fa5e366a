"""Finished runs by name: a run key, an MLflow run id, or a study's best."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sidebyside import paths
from sidebyside.config.protocols import TEST_AS_VALIDATION
from sidebyside.config.schema import Tracking
from sidebyside.errors import UserError
from sidebyside.storage import store
from sidebyside.storage.results import StudyResults, StudyRun, load_study
from sidebyside.storage.store import HISTORY, DamagedError, Run

BEST = "best"
_KEY = re.compile(r"[0-9a-f]{6,64}")
_MLFLOW_ID = re.compile(r"[0-9a-f]{32}")


def may_name_run(name: str) -> bool:
    """Tell whether this has the form of a run key, of its first digits or of an MLflow run id."""
    return _KEY.fullmatch(name) is not None


def find_run(name: str, tracking: Tracking) -> Run:
    """Return the run with this run key, or its first six digits or more, or this MLflow run id.

    Raises
    ------
    UserError
        If there is none, more than one, or its files aren't those whose digests were stored.
    """
    if not may_name_run(name):
        raise UserError(
            f"model={name} is no run key, no MLflow run id and not {BEST}: give one of these."
        )
    if _MLFLOW_ID.fullmatch(name) and not list(_folders(name)):
        return _known_to_mlflow(name, tracking)
    return load_run(name)


def load_run(key: str) -> Run:
    """Return the finished run with this run key, or its first six digits or more.

    Raises
    ------
    UserError
        If there is none, more than one, or its files aren't those whose digests were stored.
    """
    folders = list(_folders(key)) if _KEY.fullmatch(key) else []
    if not folders:
        raise UserError(
            f"No run here has a key that begins with {key}: see runs/ or MLflow's run_key."
        )
    if len({folder.name for folder in folders}) > 1:
        raise UserError(f"{len(folders)} run keys begin with {key}: give more of its digits.")
    return _verified(folders[0])


def best_run(dataset: str, study: str) -> Run:
    """Return the run with the lowest validation error of the variant with the lowest mean.

    The test set has no say in it.

    Raises
    ------
    UserError
        If the study has no results here, or no networks, or validated on test images alone.
    """
    results = load_study(dataset, study)
    if not results.trained:
        raise UserError(
            f"study={study} on dataset={dataset} has no networks here, as all its runs are known "
            "from committed evidence: train them, python pipelines/train.py -m "
            f"study={study} dataset={dataset} training.complete_evidence=false."
        )
    best = best_of_variants(results)
    if not best:
        raise UserError(
            f"study={study} has no validation images of its own to choose its best run by: give a "
            "run key instead."
        )
    _, run, _ = max(best.values(), key=lambda found: found[2])
    return results.load(run)


def best_of_variants(results: StudyResults) -> dict[str, tuple[float, StudyRun, float]]:
    """Return of each variant the highest validation accuracy, its run, and the mean over runs.

    Accuracies are shares after the last epoch; of several alike the first run is taken. Variants
    without validation images of their own aren't there, since the test set has no say in it.
    """
    accuracies: dict[str, list[tuple[float, StudyRun]]] = {}
    for run in results.trained:
        trained = results.load(run, [HISTORY])
        watched = trained.history.get("val_accuracy")
        if watched and trained.recipe.protocol not in TEST_AS_VALIDATION:
            accuracies.setdefault(run.variant, []).append((watched[-1], run))
    best = {}
    for variant, runs in accuracies.items():
        accuracy, run = max(runs, key=lambda pair: pair[0])
        best[variant] = accuracy, run, float(np.mean([own for own, _ in runs]))
    return best


def _folders(prefix: str) -> Iterator[Path]:
    yield from paths.runs().glob(f"{prefix}*")
    yield from (paths.root() / "results").glob(f"*/*/train/{prefix}*")


def _verified(folder: Path) -> Run:
    try:
        return store.load(folder)
    except DamagedError as reason:
        raise UserError(
            f"Run {folder.name[:12]} isn't opened, as its files aren't those that were stored: "
            f"{reason}. Train it again."
        ) from None


def _known_to_mlflow(run_id: str, tracking: Tracking) -> Run:
    from sidebyside.tracking.client import Tracker

    tracker = Tracker(tracking)
    tracker.prepare()
    vouched = tracker.vouched(run_id)
    if vouched is None:
        raise UserError(
            f"{run_id} is neither a run key here nor a finished run in the tracking store."
        )
    key, digest = vouched
    folders = list(_folders(key))
    if not folders:
        raise UserError(
            f"MLflow's run {run_id} is run {key[:12]}, whose model isn't here: get it with "
            "`dvc pull`, or train it."
        )
    run = _verified(folders[0])
    if run.weights_digest != digest:
        raise UserError(
            f"Run {key[:12]} isn't opened: MLflow vouches for weights {digest[:12]}, here are "
            f"{run.weights_digest[:12]}. Train it again."
        )
    return run
