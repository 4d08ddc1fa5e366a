"""What is kept of a run as evidence, judged by the metric of its study."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidebyside.analysis.metrics.scores import all_values, scores_by_image, value_of_run
from sidebyside.config.metrics import CALIBRATION_ERROR, ERROR
from sidebyside.config.protocols import FOLDS
from sidebyside.config.schema import Study
from sidebyside.data.folds import divide_by_seed
from sidebyside.errors import UserError
from sidebyside.files import read_json
from sidebyside.storage.evaluations import Evaluation
from sidebyside.storage.evidence import UNTESTED, Evidence, RunEvidence
from sidebyside.storage.results import StudyRun
from sidebyside.storage.store import DIGESTS, Run


def refuse_other_metric(known: Evidence, study: Study) -> None:
    """Raise a UserError if evidence can't tell what a study wants of its runs."""
    place = f"reports/{known.dataset}/{known.study}/evidence.npz"
    if known.metric != study.judged_by:
        raise UserError(
            f"{place} has the scores of study.metric={known.metric.chosen}, not of "
            f"{study.judged_by.chosen}: choose {known.metric.chosen}, or train the study under "
            "another name."
        )
    if study.with_others and not all(run.others for run in known.runs):
        raise UserError(
            f"{place} has no other scores than its metric's: leave study.other_scores out, or "
            "train the study under another name."
        )


def run_evidence(
    run: StudyRun,
    trained: Run,
    evaluation: Evaluation,
    target: NDArray[np.uint8],
    study: Study,
) -> RunEvidence:
    """Return what a report needs to know of a run, from its files.

    ``target``, shape (images,), are the classes of the test images, or of the training images
    under cross-validation, where one fold of them tests the run; the study says what the run is
    judged by.
    """
    probabilities, metric = evaluation.read("probabilities"), study.judged_by
    own, scores, value = _own_images(trained, target), None, None
    if metric != ERROR:
        of_own = scores_by_image(metric, probabilities, target[own])
        value = value_of_run(metric, probabilities, target[own], of_own)
        scores = _among_all(of_own, own, target) if metric.by_image else of_own
    certainty = probabilities[np.arange(len(own)), target[own]].astype(np.float16)
    return RunEvidence(
        key=run.key,
        variant=run.variant,
        factors=run.factors,
        seed=run.seed,
        identity=trained.identity,
        parameters=trained.parameters,
        weights_digest=trained.weights_digest,
        history=trained.history,
        test_loss=evaluation.test_loss,
        layout=evaluation.layout,
        predicted=_among_all(evaluation.read("predicted"), own, target),
        certainty=_among_all(certainty, own, target, UNTESTED),
        digests=read_json(trained.folder / DIGESTS),
        value=value,
        scores=scores,
        others=_others(trained, probabilities, target[own]) if study.with_others else {},
    )


def _own_images(trained: Run, target: NDArray[np.uint8]) -> NDArray[Any]:
    """Return which of the images tested a run: all, or those of its fold."""
    recipe = trained.recipe
    if recipe.protocol not in FOLDS:
        return np.arange(len(target))
    return divide_by_seed(recipe.protocol, target, recipe.seed)[1]


def _among_all(
    values: NDArray[Any], own: NDArray[Any], target: NDArray[np.uint8], rest: int = 0
) -> NDArray[Any]:
    """Return values of a run's own images, with ``rest`` for the others."""
    among = np.full(len(target), rest, values.dtype)
    among[own] = values
    return among


def _others(
    trained: Run, probabilities: NDArray[np.float32], target: NDArray[np.uint8]
) -> dict[str, float]:
    """Return a run's value by all metrics, of a fold by those that are means over images."""
    values = all_values(probabilities, target)
    if trained.recipe.protocol in FOLDS:
        del values[CALIBRATION_ERROR.name]
    return values
