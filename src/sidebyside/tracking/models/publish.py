"""The best network of each variant of a study, and the study's choice as champion."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from mlflow.entities import LoggedModel
from mlflow.entities.model_registry import ModelVersion
from numpy.typing import NDArray

from sidebyside import paths
from sidebyside.config.schema import Tracking
from sidebyside.data.arrays import open_arrays
from sidebyside.errors import UserError
from sidebyside.stderr import told
from sidebyside.storage.results import StudyResults, load_study
from sidebyside.storage.store import Run
from sidebyside.tracking.lookup import best_of_variants
from sidebyside.tracking.models.files import write_model
from sidebyside.tracking.models.registry import CHAMPION, VALIDATION_ERROR, Candidate, Models


def publish_models(study: str, dataset: str, tracking: Tracking, chosen: str | None) -> None:
    """Log the best seed of each variant by validation as a model, and register the study's choice.

    What is logged isn't logged again. The registered model `registered_name` gets a version, which
    becomes its champion unless that one's validation error is as low or lower, or was found under
    another protocol.

    Parameters
    ----------
    study, dataset : str
        Of which there are results.
    tracking : Tracking
        ``models`` says which are logged.
    chosen : str or None
        The variant that the report chose by validation.
    """
    only = chosen if tracking.models == "choice" else None
    if tracking.models == "none" or (tracking.models == "choice" and chosen is None):
        return
    candidates = _candidates(load_study(dataset, study), only)
    if not candidates:
        return
    models = Models(tracking)
    models.prepare()
    known = models.logged(study, dataset)
    for candidate in told(candidates, len(candidates), "models logged in MLflow"):
        key = (candidate.run.key, candidate.run.weights_digest)
        model = known.get(key) or _log(models, candidate, study)
        if model is not None and candidate.variant == chosen:
            _register(models, registered_name(study, dataset), model)


def registered_name(study: str, dataset: str) -> str:
    """Return what the registered model of a study is called."""
    return f"sidebyside-{dataset}-{study}"


def _candidates(results: StudyResults, only: str | None) -> list[Candidate]:
    """Return the best run of each variant, or of one variant only."""
    best = best_of_variants(results)
    return [
        Candidate(results.load(run), variant, 100 - 100 * accuracy)
        for variant, (accuracy, run, _) in best.items()
        if only in (None, variant)
    ]


def _log(models: Models, candidate: Candidate, study: str) -> LoggedModel | None:
    """Log a model, unless MLflow doesn't know its run or its code isn't what it was."""
    run = models.run_of(candidate.run.key)
    if run is None:
        return None
    with TemporaryDirectory() as folder:
        try:
            write_model(candidate.run, _example(candidate.run), Path(folder))
        except UserError as error:
            print(f"warning: no model of it in MLflow. {error}", file=sys.stderr)
            return None
        return models.log(candidate, study, run, Path(folder))


def _example(run: Run) -> NDArray[np.float32] | None:
    """Return the first training image, shape (1, ...), None where the arrays aren't here."""
    arrays = open_arrays(paths.processed(run.recipe.dataset, run.recipe.data_format))
    if arrays is None or arrays.digest != run.identity["arrays"]:
        return None
    return np.array(arrays.read("train_images")[:1])


def _register(models: Models, name: str, model: LoggedModel) -> None:
    version, champion = models.register(name, model), models.champion(name)
    if champion is None:
        models.crown(name, version)
    elif champion.version != version.version:
        if why := _stays(champion, version):
            print(f"{name}: {why}", file=sys.stderr)
        else:
            models.crown(name, version)


def _stays(champion: ModelVersion, version: ModelVersion) -> str | None:
    """Return why a champion stays one, None where a version takes its place."""
    # A version that somebody has registered by hand has no tags of ours.
    protocols = [one.tags.get("protocol", "an unknown one") for one in (champion, version)]
    if len(set(protocols)) > 1 or VALIDATION_ERROR not in champion.tags:
        return (
            f"version {champion.version} stays the {CHAMPION}, since version {version.version} was "
            f"validated under protocol {protocols[1]} and it under {protocols[0]}: set the alias "
            "in MLflow if you want the other."
        )
    before, now = (float(one.tags[VALIDATION_ERROR]) for one in (champion, version))
    if now < before:
        return None
    return (
        f"version {champion.version} stays the {CHAMPION}: its validation error is {before:.2f} %, "
        f"that of version {version.version} {now:.2f} %."
    )
