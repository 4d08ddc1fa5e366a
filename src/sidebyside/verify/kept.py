"""What is kept of a run that was trained: in a study's results, or in committed evidence."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidebyside import paths
from sidebyside.config.protocols import folds_of
from sidebyside.errors import UserError
from sidebyside.files import read_json
from sidebyside.storage import store
from sidebyside.storage.evaluations import is_evaluated, load_evaluation, stored_evaluation
from sidebyside.storage.evidence import Evidence, RunEvidence
from sidebyside.storage.results import StudyResults, StudyRun
from sidebyside.storage.store import DamagedError

Source = StudyResults | Evidence


@dataclass(frozen=True)
class Copy:
    """What one copy of a run says of its weights; of one in the evidence there are no files."""

    digests: list[str]
    weights_digest: str
    folder: Path | None


@dataclass(frozen=True)
class Kept:
    """A run as it was: where from, and what its retraining is held against."""

    identity: dict[str, Any]
    copies: list[Copy]
    predicted: NDArray[np.uint8]
    replicate: list[NDArray[np.uint8]]  # predictions of all runs of its variant

    @property
    def churn(self) -> int | None:
        """The most images by which two seeds differ; None for a single one, or for folds."""
        if folds_of(self.identity["recipe"]["protocol"]) > 1:
            return None  # seeds are tested on different images
        pairs = combinations(self.replicate, 2)
        return max((int((a != b).sum()) for a, b in pairs), default=None)


def runs_of(source: Source) -> list[tuple[Source, Any]]:
    """Return the runs of a study, each after what it is kept in: results, or evidence.

    Raises
    ------
    UserError
        If there are none, or one is neither there nor in the evidence that results complete.
    """
    runs = list(_runs_of(source))
    if not runs:
        raise UserError(
            f"study={source.study} on dataset={source.dataset} has no run that could be trained "
            "again: run the study."
        )
    return runs


def _runs_of(source: Source) -> Iterator[tuple[Source, Any]]:
    if isinstance(source, Evidence):
        yield from ((source, run) for run in source.runs)
        return
    evidence = source.evidence()
    known = {run.key: run for run in evidence.runs} if evidence else {}
    for run in source.runs:
        if not run.in_evidence:
            yield source, run
        elif evidence and run.key in known:
            yield evidence, known[run.key]
        else:
            raise UserError(
                f"Run {run.key[:12]} ({run}) isn't in the evidence that the study was to complete: "
                "run the study again."
            )


def check_evaluated(runs: Sequence[tuple[Source, Any]]) -> None:
    """Raise a UserError if results have no predictions of a run yet."""
    missing = [
        (source, run)
        for source, run in runs
        if isinstance(source, StudyResults) and not source.is_evaluated(run)
    ]
    if missing:
        source, run = missing[0]
        raise UserError(
            f"{len(missing)} of the {len(runs)} runs to train again have no predictions to be held "
            f"against, as they aren't evaluated yet ({run}): run the evaluate stage first, python "
            f"pipelines/evaluate.py study={source.study} dataset={source.dataset}."
        )


def identity_of(source: Source, run: Any) -> dict[str, Any] | None:
    """Return what decided a run's result, None where it is damaged."""
    if isinstance(source, Evidence):
        identity: dict[str, Any] = run.identity
        return identity
    with suppress(DamagedError):  # which is told of the run itself
        return store.load(source.folder / run.key).identity
    return None


def kept_of(source: Source, run: Any) -> Kept:
    """Return what is kept of an undamaged run."""
    return _in_results(source, run) if isinstance(source, StudyResults) else _known(source, run)


def damage(source: Source, run: Any) -> list[str]:
    """Return what isn't as it was stored, of DVC's copy of a run and of the run store's."""
    if isinstance(source, Evidence):
        return []  # it was read whole
    copies: list[tuple[str, Callable[[], object]]] = [
        ("among the results", partial(store.load, source.folder / run.key)),
        ("among the results", partial(load_evaluation, source.evaluated_folder(run))),
    ]
    if store.holds(run.key):
        copies.append(("in the run store", partial(store.load, paths.run(run.key))))
        if is_evaluated(run.key):
            copies.append(("in the run store", partial(stored_evaluation, run.key)))
    reasons = []
    for place, load in copies:
        try:
            load()
        except DamagedError as reason:
            reasons.append(f"{place}, {reason}")
    return reasons


def _in_results(results: StudyResults, run: StudyRun) -> Kept:
    """Return a run as DVC's copy and the run store have it."""
    folders = [results.folder / run.key, paths.run(run.key)]
    stored = [store.load(folder) for folder in folders if folder.exists()]
    replicate = []
    for member in results.trained:
        if member.variant == run.variant:
            with suppress(DamagedError):  # which is told of the run itself
                replicate.append(
                    load_evaluation(results.evaluated_folder(member)).read("predicted")
                )
    return Kept(
        stored[0].identity,
        [
            Copy(read_json(one.folder / store.DIGESTS), one.weights_digest, one.folder)
            for one in stored
        ],
        results.evaluation(run).read("predicted"),
        replicate,
    )


def _known(evidence: Evidence, run: RunEvidence) -> Kept:
    """Return a run as the committed evidence has it."""
    copy = Copy(run.digests, run.weights_digest, None)
    replicate = [member.predicted for member in evidence.of_variant(run.variant)]
    return Kept(run.identity, [copy], run.predicted[run.tested], replicate)


def first_difference(copy: Copy, weights: list[Any], digests: Sequence[str]) -> int | None:
    """Return the first epoch, from 1, after which a new training has other weights, if any.

    Parameters
    ----------
    copy : Copy
        What was stored.
    weights : list of ndarray
        Of the new training at its end.
    digests : sequence of str
        After each of its epochs.
    """
    before = copy.digests or [*digests[:-1], copy.weights_digest]  # only the last one is known
    for epoch, (old, new) in enumerate(zip(before, digests, strict=False), start=1):
        if old != new:
            return epoch
    # What the last epoch left stands in its list, on its card and in the file of its weights.
    if len(before) == len(digests) and before[-1] == copy.weights_digest:
        if copy.folder is None:
            return None
        from sidebyside.engine.scoring.saved_model import read_network

        pairs = zip(read_network(copy.folder).get_weights(), weights, strict=True)
        # Bytes, as what a run that diverged has for a weight isn't even equal to itself.
        if all(old.shape == new.shape and old.tobytes() == new.tobytes() for old, new in pairs):
            return None
    return min(len(before), len(digests)) or 1
