"""Evaluate all runs of a study, in parallel."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import track

from sidebyside.config.schema import Store, Tracking
from sidebyside.execution.evaluate import evaluate
from sidebyside.execution.executors.interface import Executor
from sidebyside.execution.executors.tasks import Task
from sidebyside.execution.jobs import retraining
from sidebyside.execution.sharing.launching import LaunchExchange
from sidebyside.execution.sharing.training import RunExchange
from sidebyside.stderr import greetings_hidden
from sidebyside.storage import keys, store
from sidebyside.storage.cards import usable
from sidebyside.storage.evaluations import Evaluation
from sidebyside.storage.results import StudyResults, write_evaluate_results

if TYPE_CHECKING:
    from sidebyside.tracking.published.contents import Card

_Outcome = tuple[int, Any]  # a task's number, and its result or what it raised


def evaluate_study(
    results: StudyResults,
    tracking: Tracking,
    executor: Executor,
    log_folder: Path,
    shared: Store | None = None,
    class_names: Sequence[str] = (),
) -> dict[str, BaseException]:
    """Evaluate every run that the train stage left, publish it and write the results.

    Runs that the tracking store doesn't know, because DVC restored them, are logged to it from
    their files. No results are written where a run can't be evaluated.

    Parameters
    ----------
    results : StudyResults
    tracking : Tracking
    executor : Executor
    log_folder : pathlib.Path
        For what the workers print.
    shared : Store, optional
        Where machines share runs; nowhere if nothing else.
    class_names : sequence of str
        In the order of the labels; empty where classes are numbers.

    Returns
    -------
    dict
        What went wrong, by run key.

    Raises
    ------
    UserError
        If results are damaged.
    """
    loaded = [results.load(run) for run in results.trained]  # all, before anything starts
    print(f"{len(loaded)} runs to evaluate", file=sys.stderr, flush=True)
    store.check_writable()
    shared = shared or Store()
    others = LaunchExchange(shared, tracking)
    executor.start()  # it takes as long as to connect
    with greetings_hidden():
        from sidebyside.tracking.client import Tracker
        from sidebyside.tracking.shown.variants import Variants, study_cards
    tracker = Tracker(tracking)
    tracker.prepare()
    tracker.close_dead()
    parent = tracker.open_study(results.study, results.dataset)
    variants = Variants(tracker, parent)
    cards = variants.open(study_cards(results, loaded, parent, class_names))
    others.give(loaded)
    tasks = [
        Task(
            partial(_evaluate_run, results, card, tracking, shared),
            log_folder / f"{stored.key}.txt",
            process=keys.process(stored.identity),
            graph=card.run.variant,
            gpu=usable(stored.identity),
        )
        for card, stored in zip(cards, loaded, strict=True)
    ]
    status = "KILLED"
    try:
        outcomes = dict(_shown(executor.run(tasks), len(tasks)))
        by_key = {
            run.key: others.brought(out) if isinstance(out := outcomes[number], Evaluation) else out
            for number, run in enumerate(results.trained)
        }
        failures = {key: out for key, out in by_key.items() if isinstance(out, BaseException)}
        status = "FAILED" if failures else "FINISHED"
    finally:
        tracker.finish(parent, status)
    tested = {key: out for key, out in by_key.items() if isinstance(out, Evaluation)}
    variants.close(cards, tested.keys(), tested.get, "FAILED")
    if not failures:
        write_evaluate_results(results.dataset, results.study, list(by_key))
    return failures


def _shown(finished: Iterable[_Outcome], total: int) -> Iterator[_Outcome]:
    """Pass on what is finished, with a bar on a terminal, else a line each."""
    if sys.stderr.isatty():
        yield from track(finished, "evaluating", total=total, console=Console(stderr=True))
        return
    for count, outcome in enumerate(finished, start=1):
        print(f"{count}/{total} runs evaluated", file=sys.stderr)
        yield outcome


def _evaluate_run(
    results: StudyResults, card: "Card", tracking: Tracking, shared: Store
) -> Evaluation:
    """Evaluate and publish one run, in a worker."""
    from sidebyside.tracking.client import Tracker

    study_run = card.run
    others = RunExchange(shared, tracking, study_run.key)
    others.fetch_to_test()
    run = store.find(study_run.key) or store.adopt(results.load(study_run))
    with store.locked(run.key):
        evaluation = evaluate(run, again=retraining())
        others.push_evaluation()
        Tracker(tracking).publish(card, run, evaluation)
    return evaluation
