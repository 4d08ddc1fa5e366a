"""Whether a stored run is what the code produces: trained again, compared bit by bit."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidebyside.config.recipes import config_of
from sidebyside.config.schema import Config
from sidebyside.data.arrays import ProcessedArrays
from sidebyside.data.prepare import prepare
from sidebyside.errors import UserError
from sidebyside.execution.executors import Task, Workers, worker_count
from sidebyside.files import read_json
from sidebyside.stderr import greetings_hidden
from sidebyside.storage import journal, keys, store
from sidebyside.storage.results import StudyResults, StudyRun
from sidebyside.storage.store import DamagedError, Run


@dataclass(frozen=True)
class Verdict:
    """A run against itself, trained again.

    Attributes
    ----------
    run : str
        Variant and seed.
    key : str
    damaged : str or None
        Why its files weren't trusted, so that nothing was trained.
    first_epoch : int or None
        The first epoch, from 1, whose weights differ; None where none does.
    flips : int
        Test images that are predicted as another class.
    churn : int or None
        The most images by which two seeds of its variant differ; None for a single seed.
    changed : list of str
        What isn't as it was when the run was trained: versions, processor, threads, sources.
    """

    run: str
    key: str
    damaged: str | None
    first_epoch: int | None
    flips: int
    churn: int | None
    changed: list[str]

    @property
    def same_bits(self) -> bool:
        """Whether the weights after every epoch are the same."""
        return self.damaged is None and self.first_epoch is None

    @property
    def same_predictions(self) -> bool:
        """Whether predictions differ by no more than those of two seeds of the variant do."""
        if self.damaged is not None:
            return False
        return self.flips == 0 or (self.churn is not None and self.flips <= self.churn)

    def as_json(self) -> dict[str, Any]:
        """Return the fields, and what follows from them, as JSON types."""
        found = {"same_bits": self.same_bits, "same_predictions": self.same_predictions}
        return asdict(self) | found


def choose(results: StudyResults, keys_wanted: Sequence[str] | None, count: int) -> list[StudyRun]:
    """Return runs of a study: those whose keys begin as ``keys_wanted``, or ``count`` by chance.

    Raises
    ------
    UserError
        If no run, or more than one, has such a key.
    """
    runs = results.trained
    if keys_wanted is None:
        return random.sample(runs, min(count, len(runs)))
    chosen = []
    for prefix in keys_wanted:
        found = [run for run in runs if run.key.startswith(prefix)]
        if len(found) != 1:
            raise UserError(
                f"{len(found)} runs of study={results.study} on dataset={results.dataset} have a "
                f"key that begins with {prefix}: give more of its digits, or another study."
            )
        chosen += found
    return chosen


def verify(
    results: StudyResults, runs: Sequence[StudyRun], base: Config, threads: int | None
) -> Iterator[Verdict]:
    """Train runs again, in parallel and each in a fresh process; yield a verdict for each.

    Parameters
    ----------
    results : StudyResults
    runs : sequence of StudyRun
    base : Config
        Of the study's dataset; a run's own recipe takes the place of all else.
    threads : int or None
        For each run, instead of its own: to see that another number gives other bits.

    Raises
    ------
    UserError
        If a process dies.
    """
    with TemporaryDirectory() as folder:
        tasks = [
            Task(partial(_verify_run, results, run, base, threads), Path(folder) / run.key)
            for run in runs
        ]
        for number, outcome in Workers(worker_count(None)).run(tasks):
            if isinstance(outcome, BaseException):
                raise UserError(f"Run {runs[number]} couldn't be trained again: {outcome}.")
            yield outcome


def _verify_run(results: StudyResults, run: StudyRun, base: Config, threads: int | None) -> Verdict:
    try:
        stored = store.load(results.folder / run.key)
        predicted = results.evaluation(run).read("predicted")
        digests = read_json(stored.folder / store.DIGESTS)
    except (DamagedError, OSError, ValueError) as reason:
        return Verdict(str(run), run.key, str(reason), None, 0, None, [])
    config = config_of(stored.recipe, base)
    if threads is not None:
        config = replace(config, training=replace(config.training, threads=threads))
    arrays = prepare(config.dataset, config.data_format)
    with journal.looking("verify", [run.key]):
        again, now = _retrain(config, arrays)
    return Verdict(
        run=str(run),
        key=run.key,
        damaged=None,
        first_epoch=_first_difference(digests, again, stored),
        flips=int((predicted != now).sum()),
        churn=_churn(results, run),
        changed=differences(stored.identity, keys.identity(config, arrays)),
    )


def differences(before: Any, now: Any, path: str = "") -> list[str]:
    """Return what differs between two `sidebyside.storage.keys.identity`, a phrase each."""
    if isinstance(before, dict) and isinstance(now, dict):
        return [
            phrase
            for name in dict.fromkeys([*before, *now])
            for phrase in differences(before.get(name), now.get(name), f"{path}.{name}".strip("."))
        ]
    return [] if before == now else [f"{path} was {_short(before)}, now {_short(now)}"]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _retrain(config: Config, arrays: ProcessedArrays) -> tuple[list[str], NDArray[np.intp]]:
    """Return the weights digest after each epoch and the predicted classes."""
    with greetings_hidden():
        from sidebyside.engine.scoring.score import predict_test_images
        from sidebyside.engine.training.fit import fit
    fitted = fit(config, arrays, lambda state: None)
    predicted: NDArray[np.intp] = predict_test_images(fitted.network, arrays).argmax(axis=1)
    return fitted.digests, predicted


def _first_difference(before: Sequence[str], now: Sequence[str], stored: Run) -> int | None:
    for epoch, (one, other) in enumerate(zip(before, now, strict=False), start=1):
        if one != other:
            return epoch
    # The last digest stands twice in a run: in its list, and on its card.
    if len(before) != len(now) or before[-1] != stored.weights_digest:
        return min(len(before), len(now)) or 1
    return None


def _churn(results: StudyResults, run: StudyRun) -> int | None:
    replicate = [one for one in results.trained if one.variant == run.variant]
    labels = [results.evaluation(one).read("predicted") for one in replicate]
    return max((int((a != b).sum()) for a, b in combinations(labels, 2)), default=None)
