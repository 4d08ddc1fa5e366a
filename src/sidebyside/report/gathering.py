"""What a report is made from: a study's results, and its committed evidence."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidebyside import paths
from sidebyside.analysis.many.parallel import each
from sidebyside.analysis.metrics.judged import refuse_other_metric, run_evidence
from sidebyside.analysis.metrics.scores import check_metric, scores_by_image
from sidebyside.config.crossvalidation import check_metric_of_folds
from sidebyside.config.datasets import Dataset
from sidebyside.config.metrics import ERROR, Metric, metric_of_rule
from sidebyside.config.protocols import folds_of
from sidebyside.config.schema import Study
from sidebyside.data.arrays import ProcessedArrays, open_arrays
from sidebyside.data.checking import leaked
from sidebyside.engine.recipe import DATA_FORMATS
from sidebyside.errors import UserError
from sidebyside.report.gallery import disagreements
from sidebyside.storage import journal
from sidebyside.storage.evaluations import Evaluation
from sidebyside.storage.evidence import Ensemble, Evidence, RunEvidence
from sidebyside.storage.evidence_files import committed
from sidebyside.storage.results import StudyResults, StudyRun, has_results, load_study
from sidebyside.storage.store import DIGESTS

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
            each(results.evaluation, results.trained),
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
