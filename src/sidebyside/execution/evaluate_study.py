"""Evaluate all runs of a study, in parallel."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console
from rich.progress import track

from sidebyside.cli.tables import print_failures
from sidebyside.config.schema import Launch, Tracking
from sidebyside.config.validate import check_dataset, check_study, check_tracking
from sidebyside.execution.evaluate import Evaluation, evaluate
from sidebyside.execution.executors import Task, Workers, start_server, worker_count
from sidebyside.execution.train import retraining
from sidebyside.stderr import greetings_hidden
from sidebyside.storage import store
from sidebyside.storage.results import (
    StudyResults,
    StudyRun,
    read_train_results,
    write_evaluate_results,
)

_Outcome = tuple[int, Any]  # a task's number, and its result or what it raised


@dataclass(frozen=True)
class _One:
    """What a worker has to know to evaluate and publish one run."""

    results: StudyResults
    run: StudyRun
    tracking: Tracking
    parent: str


def evaluate_study(config: DictConfig, workers: int | None, log_folder: str) -> list[Evaluation]:
    """Evaluate every run that the train stage left, publish it and write the results.

    Runs that the tracking store doesn't know, because DVC restored them, are logged to it from
    their files.

    Parameters
    ----------
    config : omegaconf.DictConfig
        As composed; dataset, study and tracking are read.
    workers : int or None
        Runs at a time; None is one per CPU.
    log_folder : str
        For what the workers print.

    Raises
    ------
    UserError
        If there are no results to evaluate, or they are damaged.
    SystemExit
        With 1 if a run can't be evaluated.
    """
    dataset, study = check_dataset(config).name, check_study(config).name
    tracking = check_tracking(config)
    results = read_train_results(dataset, study)
    for run in results.trained:
        results.load(run)  # all of them, before anything starts
    store.check_writable()
    start_server()  # it takes as long as to connect
    with greetings_hidden():
        from sidebyside.tracking.client import Tracker
    tracker = Tracker(tracking)
    tracker.prepare()
    tracker.close_dead()
    tags = {"study": study, "dataset": dataset, "level": "parent"}
    parent = tracker.open_parent(f"{study} on {dataset}", tags, reopen=True)
    tasks = [
        Task(
            partial(_evaluate_one, _One(results, run, tracking, parent)),
            Path(log_folder) / f"{run.key[:12]}.txt",
        )
        for run in results.trained
    ]
    status = "KILLED"
    try:
        evaluations = _all(tasks, results, workers)
        status = "FINISHED"
    finally:
        tracker.finish(parent, status)
    write_evaluate_results(dataset, study, evaluations)
    return evaluations


def _all(tasks: list[Task], results: StudyResults, workers: int | None) -> list[Evaluation]:
    pool = Workers(worker_count(workers))
    outcomes = dict(_shown(pool.run(tasks), len(tasks)))
    failures = {
        results.trained[number].key: outcome
        for number, outcome in outcomes.items()
        if isinstance(outcome, BaseException)
    }
    if failures:
        print_failures([run for run in results.trained if run.key in failures], failures)
        raise SystemExit(1)
    return [outcomes[number] for number in range(len(tasks))]


def _shown(finished: Iterable[_Outcome], total: int) -> Iterator[_Outcome]:
    """Pass on what is finished, with a bar on a terminal, else a line each."""
    if sys.stderr.isatty():
        yield from track(finished, "evaluating", total=total, console=Console(stderr=True))
        return
    for count, outcome in enumerate(finished, start=1):
        print(f"{count}/{total} runs evaluated", file=sys.stderr)
        yield outcome


def _evaluate_one(one: _One) -> Evaluation:
    """Evaluate and publish one run, in a worker."""
    from sidebyside.tracking.client import Card, Tracker

    run = store.adopt(one.results.load(one.run))
    launch = Launch("evaluate", one.parent, run.key, one.run.variant, one.run.factors)
    card = Card(run.key, run.recipe, launch, one.results.study)
    with store.locked(run.key):
        evaluation = evaluate(run, again=retraining())
        Tracker(one.tracking).publish(card, run, evaluation)
    return evaluation
