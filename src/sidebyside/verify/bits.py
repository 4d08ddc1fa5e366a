"""Whether stored runs are what the code produces: trained again, compared bit by bit."""

import json
import random
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidebyside.config.compose import compose_launcher
from sidebyside.config.schema import Config
from sidebyside.data.arrays import ProcessedArrays, scored_arrays, training_arrays
from sidebyside.data.prepare import prepare
from sidebyside.engine.recipe import Recipe
from sidebyside.engine.training.gpus import Device
from sidebyside.engine.training.numerics import NumericClass
from sidebyside.errors import UserError
from sidebyside.execution.executors.chosen import executor_of
from sidebyside.execution.executors.tasks import Task
from sidebyside.execution.jobs import full_identity
from sidebyside.stderr import greetings_hidden
from sidebyside.storage import cards, journal, keys
from sidebyside.storage.evidence import Evidence
from sidebyside.storage.evidence_files import committed
from sidebyside.storage.results import has_results, load_study
from sidebyside.verify.kept import (
    Source,
    check_evaluated,
    damage,
    first_difference,
    identity_of,
    kept_of,
    runs_of,
)
from sidebyside.verify.outcome import Outcome
from sidebyside.verify.progress import note_epoch, watch
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
    by_epoch : bool
        Whether it is kept what the weights were after each epoch, and not at the end alone.
    """

    run: str
    key: str
    damaged: str | None
    first_epoch: int | None
    flips: int
    churn: int | None
    changed: list[str]
    by_epoch: bool = True

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

    @property
    def same_environment(self) -> bool:
        """Whether versions, numeric class and the like are as they were, so that bits must be."""
        return not any(phrase.startswith("environment") for phrase in self.changed)

    def as_json(self) -> dict[str, Any]:
        """Return the fields, and what follows from them, as JSON types."""
        answers = {"same_bits": self.same_bits, "same_predictions": self.same_predictions}
        return asdict(self) | answers


class Again(NamedTuple):
    """A run of a study to be trained again, and the config of the study's dataset."""

    source: Source
    run: Any
    base: Config


def verify_runs(
    check: Literal["bits", "predictions"], study: str, base: Config, chosen: Chosen
) -> Outcome[Verdict]:
    """Train runs of a study again and hold bits or predictions against the stored ones.

    Where there are no results, they are held against those in the committed evidence, and so are
    runs that the results have from there alone.

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
        If there are neither, or no such runs, or one that isn't evaluated yet, or a process dies.
    """
    dataset, before = base.dataset.name, journal.entries()
    known = None if has_results(dataset, study) else committed(dataset, study)
    source = known or load_study(dataset, study)
    kept = [Again(own, run, base) for own, run in runs_of(source)]
    agains = _choose(kept, chosen, bits=check == "bits")
    check_evaluated([(again.source, again.run) for again in agains])
    verdicts = train_again(agains, chosen.threads)
    same = sum(getattr(verdict, f"same_{check}") for verdict in verdicts)
    return Outcome(
        check=check,
        passed=same == len(verdicts),
        summary=f"{same} of {len(verdicts)} runs have the same {check}, trained again on "
        f"{keys.processor()['model']}.",
        findings=verdicts,
        looks=looks(dataset, [run.key for run in source.runs], source.stopping, before),
    )


def _choose(kept: list[Again], chosen: Chosen, bits: bool) -> list[Again]:
    if chosen.keys is None:
        if chosen.count is None or chosen.count >= len(kept):
            return kept
        drawn = _of_a_class(kept) if bits else kept
        return random.sample(drawn, min(chosen.count, len(drawn)))
    named = []
    for prefix in chosen.keys:
        matching = [again for again in kept if again.run.key.startswith(prefix)]
        if len(matching) != 1:
            source = kept[0].source
            raise UserError(
                f"{len(matching)} runs of study={source.study} on dataset={source.dataset} have "
                f"a key that begins with {prefix}: give more of its digits, or another study."
            )
        named += matching
    return named


def _of_a_class(kept: list[Again]) -> list[Again]:
    """Return the runs whose bits are those of a numeric class, or all where none's are."""
    held = [again for again in kept if _has_class(again)]
    if held and (others := len(kept) - len(held)):
        print(
            f"{others} of {len(kept)} runs have the bits of one processor, not of a numeric class, "
            "so none of them is drawn (--runs KEY takes any).",
            file=sys.stderr,
            flush=True,
        )
    return held or kept


def _has_class(again: Again) -> bool:
    """Whether a run has the bits of a numeric class, or is held against its own files."""
    if not isinstance(again.source, Evidence):
        return True
    # What nobody has compared between processors has its own in the key, beside the class.
    environment = again.run.identity["environment"]
    return "numerics" in environment and "cpu" not in environment


def train_again(agains: Sequence[Again], threads: int | None = None) -> list[Verdict]:
    """Train runs again, in parallel, and return a verdict for each, in their order.

    Raises
    ------
    UserError
        If a run can't be trained, or a process dies.
    """
    executor = executor_of(compose_launcher())
    verdicts: dict[int, Verdict] = {}
    print(f"{len(agains)} runs to train again", file=sys.stderr, flush=True)
    with TemporaryDirectory() as folder:
        notes = [Path(folder) / f"{run.key}.epochs" for _, run, _ in agains]
        tasks, epochs = [], 0
        for (source, run, base), noted in zip(agains, notes, strict=True):
            call = partial(_verify_run, source, run, base, threads, noted)
            task = Task(call, Path(folder) / run.key, graph=run.variant)
            if identity := identity_of(source, run):
                process, gpu = keys.process(identity), cards.usable(identity)
                task = replace(task, process=process, gpu=gpu)
                epochs += identity["recipe"]["epochs"]
            tasks.append(task)
        with watch(notes, epochs) as seen:
            for number, outcome in executor.run(tasks):
                if isinstance(outcome, BaseException):
                    run = agains[number].run
                    raise UserError(
                        f"Run {run.variant},seed={run.seed} couldn't be trained again: {outcome}."
                    )
                verdicts[number] = outcome
                seen.ended()
    return [verdicts[number] for number in range(len(agains))]


def _verify_run(
    source: Source, run: Any, base: Config, threads: int | None, noted: Path
) -> Verdict:
    name = f"{run.variant},seed={run.seed}"
    if reasons := damage(source, run):
        return Verdict(name, run.key, "; ".join(reasons), None, 0, None, [])
    kept = kept_of(source, run)
    config = base.with_recipe(kept.identity["recipe"])
    recipe = replace(config.recipe(), threads=threads or config.training.threads)
    numerics, device = keys.numeric_class(kept.identity), keys.device(kept.identity)
    card = cards.card_for(device)
    arrays = prepare(config.dataset, recipe.data_format)
    with journal.looking("verify", [run.key]):
        weights, digests, predicted = _retrain(recipe, numerics, device, arrays, noted)
    differing = [first_difference(copy, weights, digests) for copy in kept.copies]
    return Verdict(
        run=name,
        key=run.key,
        damaged=None,
        first_epoch=min((epoch for epoch in differing if epoch is not None), default=None),
        flips=int((kept.predicted != predicted).sum()),
        churn=kept.churn,
        changed=differences(kept.identity, full_identity(recipe, arrays, numerics, card)),
        by_epoch=all(copy.digests for copy in kept.copies),
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


def _retrain(
    recipe: Recipe, numerics: NumericClass, device: Device, arrays: ProcessedArrays, noted: Path
) -> tuple[list[Any], list[str], NDArray[np.uint8]]:
    """Return the weights, their digest after each epoch and the predicted classes."""
    with greetings_hidden():
        from sidebyside.engine.scoring.score import score
        from sidebyside.engine.training.fit import fit
    training, validation = training_arrays(arrays, recipe.protocol, recipe.seed)
    on_epoch = partial(note_epoch, noted)
    fitted = fit(recipe, numerics, training, validation, on_epoch, device=device)
    weights = fitted.network.get_weights()
    images, target = scored_arrays(arrays, recipe.protocol, recipe.seed)
    scores = score(fitted.made_from, weights, images, target)
    return weights, fitted.digests, scores.predicted
