"""Whether stored runs are what the code produces: trained again, compared bit by bit."""

import json
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sidebyside import paths
from sidebyside.config.compose import compose_launcher
from sidebyside.config.schema import Config
from sidebyside.data.arrays import ProcessedArrays, training_arrays
from sidebyside.data.prepare import prepare
from sidebyside.engine.recipe import Recipe
from sidebyside.engine.training.numerics import NumericClass
from sidebyside.errors import UserError
from sidebyside.execution.executors import LocalExecutor, Task
from sidebyside.files import read_json
from sidebyside.stderr import greetings_hidden
from sidebyside.storage import journal, keys, store
from sidebyside.storage.evaluations import is_evaluated, stored_evaluation
from sidebyside.storage.results import StudyResults, StudyRun, load_study
from sidebyside.storage.store import DamagedError, Run
from sidebyside.verify.outcome import Outcome
from sidebyside.verify.test_set import looks


@dataclass(frozen=True)
class Chosen:
    """Which runs are trained again.

    Attributes
    ----------
    keys : sequence of str or None
        Those whose keys begin so.
    count : int or None
        Else so many by chance; None is all.
    threads : int or None
        For each run, instead of its own: to see that another number gives other bits.
    """

    keys: Sequence[str] | None
    count: int | None
    threads: int | None


@dataclass(frozen=True)
class Verdict:
    """A run against itself, trained again.

    Attributes
    ----------
    run : str
        Variant and seed.
    key : str
    damaged : str or None
        Which of its copies, among the results and in the run store, isn't what was stored, so that
        nothing was trained.
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
        answers = {"same_bits": self.same_bits, "same_predictions": self.same_predictions}
        return asdict(self) | answers


def verify_runs(
    check: Literal["bits", "predictions"], study: str, base: Config, chosen: Chosen
) -> Outcome[Verdict]:
    """Train runs of a study again and hold bits or predictions against the stored ones.

    Parameters
    ----------
    check : str
    study : str
    base : Config
        Of the study's dataset; a run's own recipe takes the place of all else.
    chosen : Chosen

    Raises
    ------
    UserError
        If there are no results, or no such runs, or a process dies.
    """
    results = load_study(base.dataset.name, study)
    before = journal.entries()
    runs = _choose(results, chosen)
    verdicts = []
    for verdict in _train_again(results, runs, base, chosen.threads):
        verdicts.append(verdict)
        print(f"{len(verdicts)}/{len(runs)} runs trained again", file=sys.stderr)
    same = sum(getattr(verdict, f"same_{check}") for verdict in verdicts)
    return Outcome(
        check=check,
        passed=same == len(verdicts),
        summary=f"{same} of {len(verdicts)} runs have the same {check}.",
        findings=verdicts,
        looks=looks(base.dataset.name, [run.key for run in results.runs], results.stopping, before),
    )


def _choose(results: StudyResults, chosen: Chosen) -> list[StudyRun]:
    runs = results.trained
    if chosen.keys is None:
        return runs if chosen.count is None else random.sample(runs, min(chosen.count, len(runs)))
    named = []
    for prefix in chosen.keys:
        matching = [run for run in runs if run.key.startswith(prefix)]
        if len(matching) != 1:
            raise UserError(
                f"{len(matching)} runs of study={results.study} on dataset={results.dataset} have "
                f"a key that begins with {prefix}: give more of its digits, or another study."
            )
        named += matching
    return named


def _train_again(
    results: StudyResults, runs: Sequence[StudyRun], base: Config, threads: int | None
) -> Iterator[Verdict]:
    """Train runs again, in parallel; yield a verdict for each."""
    executor = LocalExecutor.from_settings(compose_launcher())
    with TemporaryDirectory() as folder:
        tasks = [
            Task(
                partial(_verify_run, results, run, base, threads),
                Path(folder) / run.key,
                process=_process(results, run),
                graph=run.variant,
            )
            for run in runs
        ]
        for number, outcome in executor.run(tasks):
            if isinstance(outcome, BaseException):
                raise UserError(f"Run {runs[number]} couldn't be trained again: {outcome}.")
            yield outcome


def _process(results: StudyResults, run: StudyRun) -> str:
    with suppress(DamagedError):  # which is told of the run itself
        return keys.process(store.load(results.folder / run.key).identity)
    return ""


def _verify_run(results: StudyResults, run: StudyRun, base: Config, threads: int | None) -> Verdict:
    if reasons := _damage(results, run):
        return Verdict(str(run), run.key, "; ".join(reasons), None, 0, None, [])
    folders = [results.folder / run.key, paths.run(run.key)]
    copies = [store.load(folder) for folder in folders if folder.exists()]
    recipe = base.with_recipe(copies[0].identity["recipe"]).recipe()
    recipe = replace(recipe, threads=threads or recipe.threads)
    numerics = keys.numeric_class(copies[0].identity)
    arrays = prepare(base.dataset, recipe.data_format)
    with journal.looking("verify", [run.key]):
        weights, digests, predicted = _retrain(recipe, numerics, arrays)
    differing = [_first_difference(stored, weights, digests) for stored in copies]
    return Verdict(
        run=str(run),
        key=run.key,
        damaged=None,
        first_epoch=min((epoch for epoch in differing if epoch is not None), default=None),
        flips=int((results.evaluation(run).read("predicted") != predicted).sum()),
        churn=_churn(results, run),
        changed=differences(copies[0].identity, keys.identity(recipe, arrays.digest, numerics)),
    )


def _damage(results: StudyResults, run: StudyRun) -> list[str]:
    """Return what isn't as it was stored, of DVC's copy of a run and of the run store's."""
    copies: list[tuple[str, Callable[[], object]]] = [
        ("among the results", partial(store.load, results.folder / run.key)),
        ("among the results", partial(results.evaluation, run)),
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


def _retrain(
    recipe: Recipe, numerics: NumericClass, arrays: ProcessedArrays
) -> tuple[list[Any], list[str], NDArray[np.uint8]]:
    """Return the weights, their digest after each epoch and the predicted classes."""
    with greetings_hidden():
        from sidebyside.engine.scoring.score import score
        from sidebyside.engine.training.fit import fit
    training, validation = training_arrays(arrays, recipe.protocol)
    fitted = fit(recipe, numerics, training, validation, lambda state: None)
    weights = fitted.network.get_weights()
    scores = score(recipe, weights, arrays.read("test_images"), arrays.read("test_classes"))
    return weights, fitted.digests, scores.predicted


def _first_difference(stored: Run, weights: list[Any], digests: Sequence[str]) -> int | None:
    before = read_json(stored.folder / store.DIGESTS)
    for epoch, (old, new) in enumerate(zip(before, digests, strict=False), start=1):
        if old != new:
            return epoch
    # What the last epoch left stands in its list, on its card and in the file of its weights.
    if len(before) == len(digests) and before[-1] == stored.weights_digest:
        from sidebyside.engine.scoring.saved_model import read_network

        pairs = zip(read_network(stored.folder).get_weights(), weights, strict=True)
        if all(np.array_equal(old, new) for old, new in pairs):
            return None
    return min(len(before), len(digests)) or 1


def _churn(results: StudyResults, run: StudyRun) -> int | None:
    labels = []
    for member in results.trained:
        if member.variant == run.variant:
            with suppress(DamagedError):  # which is told of the run itself
                labels.append(results.evaluation(member).read("predicted"))
    return max((int((a != b).sum()) for a, b in combinations(labels, 2)), default=None)
