"""What a report is made from: a study's results, and its committed evidence."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidebyside import paths
from sidebyside.config.datasets import Dataset
from sidebyside.config.protocols import FOLDS, folds_of
from sidebyside.data.arrays import ProcessedArrays, open_arrays
from sidebyside.data.folds import divide_by_seed
from sidebyside.engine.recipe import DATA_FORMATS
from sidebyside.errors import UserError
from sidebyside.files import read_json
from sidebyside.report.gallery import disagreements
from sidebyside.storage import journal
from sidebyside.storage.evaluations import Evaluation
from sidebyside.storage.evidence import UNTESTED, Ensemble, Evidence, RunEvidence, committed
from sidebyside.storage.results import StudyResults, StudyRun, has_results, load_study
from sidebyside.storage.store import DIGESTS, DamagedError, Run

_GALLERY = 24  # test images kept for the report's gallery
_SAMPLES = 40  # training images kept for the picture of samples


def gather(dataset: Dataset, study: str, allow_partial: bool) -> Evidence:
    """Return the evidence of a study: from its results, or as committed where there are none.

    Raises
    ------
    UserError
        If there is neither, something is damaged, or runs are missing and that isn't allowed.
    """
    if not has_results(dataset.name, study) and (known := committed(dataset.name, study)):
        return known
    results = load_study(dataset.name, study)
    if results.missing and not allow_partial:
        raise UserError(
            f"study={study} on dataset={dataset.name} isn't finished: {len(results.missing)} of "
            f"{len(results.missing) + len(results.runs)} runs are missing "
            f"({'; '.join(results.missing)}). Run it again, which trains only these, or compare "
            "what is there with allow_partial=true."
        )
    known = results.evidence()
    if known and not results.trained:
        runs = [_known(run, known) for run in results.runs]
        return replace(known, runs=runs, missing=results.missing)
    with journal.looking("compare", [run.key for run in results.runs]):
        return _of_files(results, known, dataset)


def _of_files(results: StudyResults, known: Evidence | None, dataset: Dataset) -> Evidence:
    arrays = _processed(dataset)
    folds = folds_of(results.load(results.trained[0]).recipe.protocol)
    part = "test" if folds == 1 else "train"  # which images test the runs
    target = arrays.read(f"{part}_classes")
    runs = [
        _known(run, known)
        if run.in_evidence
        else run_evidence(run, results.load(run), _evaluation(results, run), target)
        for run in results.runs
    ]
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
        ensembles=_ensembles(results, known) if folds == 1 else [],
        gallery_index=gallery_index,
        gallery=arrays.pixels(arrays.read(f"{part}_images")[gallery_index]),
        stopping=results.stopping,
    )


def _known(run: StudyRun, known: Evidence | None) -> RunEvidence:
    for evidence in known.runs if known else []:
        if evidence.key == run.key:
            return evidence
    raise UserError(
        f"Run {run.key[:12]} ({run}) isn't in the evidence that the study was to complete: run "
        "the study again."
    )


def run_evidence(
    run: StudyRun, trained: Run, evaluation: Evaluation, target: NDArray[np.uint8]
) -> RunEvidence:
    """Return what a report needs to know of a run, from its files.

    ``target``, shape (images,), are the classes of the test images, or of the training images
    under cross-validation, where one fold of them tests the run.
    """
    recipe = trained.recipe
    own: NDArray[Any] = np.arange(len(target))
    if recipe.protocol in FOLDS:
        _, own = divide_by_seed(recipe.protocol, target, recipe.seed)
    predicted = np.zeros(len(target), np.uint8)
    predicted[own] = evaluation.read("predicted")
    certainty = np.full(len(target), UNTESTED, np.float16)
    certainty[own] = evaluation.read("probabilities")[np.arange(len(own)), target[own]]
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
        predicted=predicted,
        certainty=certainty,
        digests=read_json(trained.folder / DIGESTS),
    )


def _evaluation(results: StudyResults, run: StudyRun) -> Evaluation:
    try:
        return results.evaluation(run)
    except DamagedError as reason:
        raise UserError(f"{reason}: delete that folder and run the evaluate stage again.") from None


def _ensembles(results: StudyResults, known: Evidence | None) -> list[Ensemble]:
    """Return each variant's ensemble of the runs whose probabilities are here, or as known."""
    before = {ensemble.variant: ensemble for ensemble in known.ensembles} if known else {}
    ensembles = []
    for variant in dict.fromkeys(run.variant for run in results.runs):
        replicate = [run for run in results.trained if run.variant == variant]
        held = any(run.in_evidence for run in results.runs if run.variant == variant)
        if held and variant in before and before[variant].members >= len(replicate):
            ensembles.append(before[variant])
        elif replicate:
            total = sum(
                _evaluation(results, run).read("probabilities").astype(np.float64)
                for run in replicate
            )
            labels = np.asarray(total).argmax(axis=1).astype(np.uint8)
            ensembles.append(Ensemble(variant, len(replicate), labels))
    return ensembles


def _processed(dataset: Dataset) -> ProcessedArrays:
    for data_format in DATA_FORMATS:
        if (arrays := open_arrays(paths.processed(dataset.name, data_format))) is not None:
            return arrays
    raise UserError(f"{dataset.name} isn't preprocessed: run the preprocess stage first.")
