"""Evaluate: the test set, opened once training is over."""

import hashlib
import json
from functools import cache
from typing import Any

from sidebyside import paths
from sidebyside.data.arrays import ProcessedArrays, open_arrays, scored_arrays
from sidebyside.engine.recipe import Network
from sidebyside.errors import UserError
from sidebyside.files import source_digests
from sidebyside.stderr import greetings_hidden
from sidebyside.storage import journal, store
from sidebyside.storage.evaluations import ARRAYS, Evaluation, find_evaluation, save_evaluation
from sidebyside.storage.keys import device, numeric_class
from sidebyside.storage.own_sources import check_unchanged
from sidebyside.storage.store import Run

DECIDING = ("engine/training", "engine/scoring")  # folders whose source decides the scores


def evaluate(run: Run, again: bool = False) -> Evaluation:
    """Return the scores of a run's saved network on the test images, or on its own fold.

    The network is loaded from disk after its files were verified (`sidebyside.load_run`).
    An evaluation that the run store has, by the same code of the same weights, is reused unless
    asked to do it ``again``.

    Raises
    ------
    UserError
        If the processed data aren't those the run was trained on.
    """
    arrays = _arrays_of(run)
    basis = basis_of(run, arrays)
    stored = None if again else find_evaluation(run.key)
    return stored if stored and stored.basis == basis else _test(run, arrays, basis)


def is_evaluated(run: Run) -> bool:
    """Whether the run store has what `evaluate` would return."""
    stored = find_evaluation(run.key)
    return stored is not None and stored.basis == basis_of(run, _arrays_of(run))


def _arrays_of(run: Run) -> ProcessedArrays:
    folder = paths.processed(run.recipe.dataset, run.recipe.data_format)
    arrays = open_arrays(folder)
    if arrays is None or arrays.digest != run.identity["arrays"]:
        raise UserError(
            f"{folder} doesn't hold the data that run {run.key[:12]} was trained on: run the "
            f"preprocess stage again, with dataset.normalisation={run.recipe.normalisation}, then "
            "train."
        )
    return arrays


def basis_of(run: Run, arrays: ProcessedArrays) -> str:
    """Return a digest of what decides the scores."""
    parts = [run.weights_digest, arrays.digest, *map(source_digests, DECIDING)]
    return _digest(parts)


@cache
def scored_by(arrays_digest: str) -> str:
    """Return a digest of what decides the scores of all runs on these arrays."""
    return _digest([arrays_digest, *map(source_digests, DECIDING)])


def _digest(parts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _test(run: Run, arrays: ProcessedArrays, basis: str) -> Evaluation:
    with greetings_hidden():
        from sidebyside.engine.scoring.forward import forward
        from sidebyside.engine.scoring.score import score
        from sidebyside.engine.training import determinism
        from sidebyside.engine.training.fit import image_shape
    check_unchanged(run.recipe.model, run.identity["sources"], run.key)
    determinism.fix(run.recipe.threads, numeric_class(run.identity), device(run.identity))
    with journal.looking("evaluate", [run.key]):
        images, target = scored_arrays(arrays, run.recipe.protocol, run.recipe.seed)
        _, classes = arrays.read("train_labels").shape
        network = Network(run.recipe, image_shape(run.recipe.data_format, images), classes)
        scores = score(network, forward(network).read_weights(run.folder), images, target)
    store.note_inference(run.key, forward(network).milliseconds)
    stored = {name: getattr(scores, name) for name in ARRAYS}
    return save_evaluation(run.key, basis, scores.figures(), stored)
