"""What a report is made from: a study's results, and its committed evidence."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidebyside import paths
from sidebyside.analysis.many.parallel import each
from sidebyside.analysis.metrics.scores import (
    all_values,
    check_metric,
    scores_by_image,
    value_of_run,
)
from sidebyside.config.crossvalidation import check_metric_of_folds
from sidebyside.config.datasets import Dataset
from sidebyside.config.metrics import CALIBRATION_ERROR, ERROR, Metric, metric_of_rule
from sidebyside.config.protocols import FOLDS, folds_of
from sidebyside.config.schema import Study
from sidebyside.data.arrays import ProcessedArrays, open_arrays
from sidebyside.data.checking import leaked
from sidebyside.data.folds import divide_by_seed
from sidebyside.engine.recipe import DATA_FORMATS
from sidebyside.errors import UserError
from sidebyside.files import read_json
from sidebyside.report.gallery import disagreements
from sidebyside.storage import journal
from sidebyside.storage.evaluations import Evaluation
from sidebyside.storage.evidence import UNTESTED, Ensemble, Evidence, RunEvidence
from sidebyside.storage.evidence_files import committed
from sidebyside.storage.results import StudyResults, StudyRun, has_results, load_study
from sidebyside.storage.store import DIGESTS, DamagedError, Run

_GALLERY = 24  # test images kept for the report's gallery
_SAMPLES = 40  # training images kept for the picture of samples


def gather(dataset: Dataset, study: Study, allow_partial: bool) -> Evidence:
    """Return the evidence of a study: from its results, or as committed where there are none.

    Raises
    ------
    UserError
        If there is neither, something is damaged, runs are missing and that isn't allowed, or runs
        can't be judged by the study's metric.
    """
    name = study.name
    if not has_results(dataset.name, name) and (known := committed(dataset.name, name)):
        refuse_other_metric(known, study)
        return known
    results = load_study(dataset.name, name)
    _refuse_other_rule(results.stopping, study)
    if results.missing and not allow_partial:
        raise UserError(
            f"study={name} on dataset={dataset.name} isn't finished: {len(results.missing)} of "
            f"{len(results.missing) + len(results.runs)} runs are missing "
            f"({'; '.join(results.missing)}). Run it again, which trains only these, or compare "
            "what is there with allow_partial=true."
        )
    if known := results.evidence():
        refuse_other_metric(known, study)
    if known and not results.trained:
        before = {run.key: run for run in known.runs}
        runs = [_known(run, before) for run in results.runs]
        return replace(known, runs=runs, missing=results.missing)
    with journal.looking("compare", [run.key for run in results.runs]):
        return _of_files(results, known, dataset, study)


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


def _refuse_other_rule(rule: dict[str, Any] | None, study: Study) -> None:
    """Raise a UserError if seeds were added by another metric than a report would be of."""
    if rule is None:
        return
    metric = metric_of_rule(rule)
    if metric != study.judged_by:
        raise UserError(
            f"The seeds of study={study.name} were added by study.metric={metric.chosen}, which "
            f"its report goes by too: choose that in place of {study.judged_by.chosen}."
        )


def _of_files(
    results: StudyResults, known: Evidence | None, dataset: Dataset, study: Study
) -> Evidence:
    check_metric(study.judged_by, dataset.classes)
    arrays = _processed(dataset)
    protocol = results.load(results.trained[0], [DIGESTS]).recipe.protocol
    check_metric_of_folds(study.judged_by, protocol)
    folds = folds_of(protocol)
    part = "test" if folds == 1 else "train"  # which images test the runs
    target = arrays.read(f"{part}_classes")
    evaluations = dict(
        zip(
            (run.key for run in results.trained),
            each(partial(_evaluation, results), results.trained),
            strict=True,
        )
    )
    before = {run.key: run for run in known.runs} if known else {}

    def evidence_of(run: StudyRun) -> RunEvidence:
        if run.in_evidence:
            return _known(run, before)
        trained = results.load(run, [DIGESTS])
        return run_evidence(run, trained, evaluations[run.key], target, study)

    runs = each(evidence_of, results.runs)
    # In a fold there are too few runs to say of an image that variants disagree on it.
    gallery_index = disagreements(
        np.stack([run.predicted for run in runs]),
        target,
        [run.variant for run in runs],
        _GALLERY if folds == 1 else 0,
    )
    return Evidence(
        dataset=dataset.name,
        study=results.study,
        runs=runs,
        target=target,
        samples=arrays.pixels(arrays.read("train_images")[:_SAMPLES]),
        sample_labels=arrays.read("train_classes")[:_SAMPLES],
        missing=results.missing,
        ensembles=_ensembles(results, evaluations, known, target, study.judged_by)
        if folds == 1
        else [],
        gallery_index=gallery_index,
        gallery=arrays.pixels(arrays.read(f"{part}_images")[gallery_index]),
        stopping=results.stopping,
        leaked=_leaked(arrays) if folds == 1 else np.zeros(0, np.int32),
        metric=study.judged_by,
    )


def _leaked(arrays: ProcessedArrays) -> NDArray[np.int32]:
    return np.array(leaked(arrays.read("train_images"), arrays.read("test_images")), np.int32)


def _known(run: StudyRun, before: Mapping[str, RunEvidence]) -> RunEvidence:
    if run.key in before:
        return before[run.key]
    raise UserError(
        f"Run {run.key[:12]} ({run}) isn't in the evidence that the study was to complete: run "
        "the study again."
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


def _evaluation(results: StudyResults, run: StudyRun) -> Evaluation:
    try:
        return results.evaluation(run)
    except DamagedError as reason:
        raise UserError(f"{reason}: delete that folder and run the evaluate stage again.") from None


def _ensembles(
    results: StudyResults,
    evaluations: Mapping[str, Evaluation],
    known: Evidence | None,
    target: NDArray[np.uint8],
    metric: Metric,
) -> list[Ensemble]:
    """Return each variant's ensemble of the runs whose probabilities are here, or as known."""
    before = {ensemble.variant: ensemble for ensemble in known.ensembles} if known else {}
    by_variant: dict[str, list[StudyRun]] = {}
    for run in results.runs:
        by_variant.setdefault(run.variant, []).append(run)

    def ensemble_of(variant: str) -> Ensemble | None:
        replicate = [run for run in by_variant[variant] if not run.in_evidence]
        held = {run.key for run in by_variant[variant] if run.in_evidence}
        own = before.get(variant)
        if own and held >= {*own.keys} and own.members >= len(replicate):
            return own
        if not replicate:
            return None
        members = [evaluations[run.key].read("probabilities") for run in replicate]
        total = np.asarray(sum(own.astype(np.float64) for own in members))
        labels, scores = total.argmax(axis=1).astype(np.uint8), None
        if metric != ERROR:
            mean = (total / len(replicate)).astype(np.float32)
            scores = scores_by_image(metric, mean, target)
        return Ensemble(variant, tuple(run.key for run in replicate), labels, scores)

    return [ensemble for ensemble in each(ensemble_of, list(by_variant)) if ensemble]


def _processed(dataset: Dataset) -> ProcessedArrays:
    for data_format in DATA_FORMATS:
        if (arrays := open_arrays(paths.processed(dataset.name, data_format))) is not None:
            return arrays
    raise UserError(f"{dataset.name} isn't preprocessed: run the preprocess stage first.")
