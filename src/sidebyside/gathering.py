"""What a report is made from: a study's results, and its committed evidence."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sidebyside import locations
from sidebyside.arrays import ProcessedArrays, open_arrays
from sidebyside.errors import UserError
from sidebyside.evaluation import load_evaluation
from sidebyside.evidence import Evidence, RunEvidence, committed
from sidebyside.results import StudyResults, StudyRun, has_results, read_train_results
from sidebyside.schema import DATA_FORMATS, Dataset
from sidebyside.store import DamagedError

_SAMPLES = 40  # training images kept for the picture of samples


def gather(dataset: Dataset, study: str, allow_partial: bool) -> Evidence:
    """Return the evidence of a study: from its results, or as committed where there are none.

    Raises
    ------
    UserError
        If there is neither, something is damaged, or runs are missing and that isn't allowed.
    """
    known = committed(dataset.name, study)
    if known and not has_results(dataset.name, study):
        return known
    results = read_train_results(dataset.name, study)
    if results.missing and not allow_partial:
        raise UserError(
            f"study={study} on dataset={dataset.name} isn't finished: {len(results.missing)} of "
            f"{len(results.missing) + len(results.runs)} runs are missing "
            f"({'; '.join(results.missing)}). Run it again, which trains only these, or compare "
            "what is there with allow_partial=true."
        )
    runs = [_run(results, run, known) for run in results.runs]
    if known and not results.trained:
        return replace(known, runs=runs, missing=results.missing)
    arrays = _processed(dataset)
    return Evidence(
        dataset=dataset.name,
        study=study,
        runs=runs,
        target=arrays.read("test_labels").argmax(axis=1).astype(np.uint8),
        samples=_pixels(arrays.read("train_images")[:_SAMPLES], dataset),
        sample_labels=arrays.read("train_labels")[:_SAMPLES].argmax(axis=1).astype(np.uint8),
        missing=results.missing,
    )


def _run(results: StudyResults, run: StudyRun, known: Evidence | None) -> RunEvidence:
    if run.in_evidence:
        for one in known.runs if known else []:
            if one.key == run.key:
                return one
        raise UserError(
            f"Run {run.key[:12]} ({run}) isn't in the committed evidence any more: restore that "
            "with git, or run the study again."
        )
    folder = locations.results(results.dataset, results.study, "evaluate")
    trained = results.load(run)
    try:
        evaluation = load_evaluation(folder / run.key)
    except DamagedError as reason:
        raise UserError(f"{reason}: delete {folder} and run the evaluate stage again.") from None
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
        predicted=evaluation.read("predicted"),
    )


def _processed(dataset: Dataset) -> ProcessedArrays:
    for data_format in DATA_FORMATS:
        if (arrays := open_arrays(locations.processed(dataset.name, data_format))) is not None:
            return arrays
    raise UserError(f"{dataset.name} isn't preprocessed: run the preprocess stage first.")


def _pixels(images: NDArray[np.float32], dataset: Dataset) -> NDArray[np.uint8]:
    shaped = images.reshape(-1, *dataset.image_shape)
    pixels: NDArray[np.uint8] = np.rint(255 * shaped).astype(np.uint8)
    return pixels
