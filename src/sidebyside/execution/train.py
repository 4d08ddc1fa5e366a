"""Train one run: answered by the run store where it can, logged to MLflow either way."""

import logging
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from sidebyside import paths
from sidebyside.config.schema import Config, Store
from sidebyside.data.arrays import (
    open_arrays,
    training_arrays,
)
from sidebyside.data.prepare import counting_on, prepare
from sidebyside.environment import give_gpu
from sidebyside.execution.diverged import check_loss
from sidebyside.execution.elsewhere import other_run
from sidebyside.execution.evaluate import evaluate, is_evaluated
from sidebyside.execution.jobs import Job, plan, retraining
from sidebyside.execution.running import launches
from sidebyside.execution.sharing.launching import LaunchExchange
from sidebyside.execution.sharing.training import RunExchange
from sidebyside.redaction import passwords_hidden
from sidebyside.stderr import greetings_hidden
from sidebyside.storage import cards, journal, keys, staleness, store
from sidebyside.storage.own_sources import take_sources
from sidebyside.storage.store import Run

if TYPE_CHECKING:
    from sidebyside.tracking.client import Tracker

_log = logging.getLogger(__name__)


def train(config: Config) -> Run:
    """Train the run of a config, or take it from the run store if it is there.

    Data that aren't there are downloaded and preprocessed. With ``evaluate`` the test set is
    opened once training is over. The run is in MLflow afterwards, whoever trained it.

    Parameters
    ----------
    config : Config
        As `sidebyside.compose` returns it.

    Returns
    -------
    Run
        The finished run in the run store.

    Raises
    ------
    UserError
        If something on this machine has to be put right first.
    """
    store.check_writable()
    take_sources([config.model])
    cards.card_for(config.training.device)  # refuses what isn't here before data's place is made
    title = launches.title_of([config])
    with counting_on([(config.dataset, config.data_format)], title):
        return _train(config, title)


def _train(config: Config, title: str) -> Run:
    others = LaunchExchange.before([config])
    if config.training.device == "gpu":
        give_gpu(cards.places()[0])
    _say(
        f"model={config.model.name} optimizer={config.optimizer['name']} seed={config.seed} on "
        f"dataset={config.dataset.name}"
    )
    with greetings_hidden():
        from sidebyside.tracking.client import Tracker
    tracker = Tracker(config.tracking)
    tracker.prepare()
    tracker.close_dead()
    prepared = open_arrays(paths.processed(config.dataset.name, config.data_format))
    if prepared is None or not is_finished(plan(config, {})):
        with greetings_hidden():
            from sidebyside.execution.preflight.trainable import check_trainable
        check_trainable([config])
    [job] = others.arrived([plan(config, {})])
    if not store.holds(job.run.key) and (stale := staleness.explain([job.identity])):
        _say(stale)
    with launches.noted(launches.Launch(launches.new_id(), title)) as seen:
        epochs = config.training.epochs
        name = f"model={config.model.name},seed={config.seed}"
        seen.add({job.run.key: launches.RunShown(name, epochs, 1)})
        run = train_job(replace(job, launch=seen.id))
    store.forget_launch(seen.id)
    others.catch_up([run.key])
    return run


def is_finished(job: Job) -> bool:
    """Whether nothing is left to do for a run but to log it."""
    if retraining() or not store.holds(job.run.key):
        return False
    run = store.find(job.run.key)
    return run is not None and (not job.config.evaluate or is_evaluated(run))


def train_job(job: Job, shares: bool = True) -> Run:
    """Do what `train` does for a run that was looked at before, as in a worker of a launch.

    Unless it ``shares``, a store that other machines share is neither asked nor given anything.

    Raises
    ------
    UserError
        If code, data or environment aren't those that the job was planned with.
    """
    with greetings_hidden():
        from sidebyside.tracking.client import Tracker
    key = job.run.key
    shared = job.config.store if shares else Store()
    others = RunExchange(shared, job.config.tracking, key, _say)
    others.fetch_arrays(job.config.dataset, job.config.data_format, job.identity["arrays"])
    if (here := plan(job.config, job.run.factors)).run.key != key:
        raise other_run(job, here.identity)
    tracker = Tracker(job.config.tracking)
    with passwords_hidden(), store.locked(key):
        try:
            run, role = _obtain(job, tracker, others)
            evaluation = None
            if job.config.evaluate:
                others.fetch_evaluation()
                evaluation = evaluate(run, again=role == "retrained")
                others.push_evaluation()
            tracker.publish(job.card, run, evaluation, role)
        except (Exception, SystemExit):
            _end_early(tracker, job, "FAILED", traceback.format_exc())
            raise
        except KeyboardInterrupt:
            tracker.hurry()
            _end_early(tracker, job, "KILLED")
            raise
    if job.launch:
        store.announce(job.launch, key)
    return run


def _obtain(job: Job, tracker: "Tracker", others: RunExchange) -> tuple[Run, str]:
    """Return the run and what was done for it: "reused", "trained" or "retrained"."""
    key = job.run.key
    if stored := store.find(key):
        others.push_run()
    else:
        with others.turn() as arrived:
            if not (arrived and (stored := store.find(key))):
                run = _fit(job, tracker, others)
                others.push_run(trained=True)
                return run, "trained"
    if retraining():
        return _fit(job, tracker, others, anew=True), "retrained"
    return stored, "reused"


def _fit(job: Job, tracker: "Tracker", others: RunExchange, anew: bool = False) -> Run:
    """Train from the last checkpoint on, unless ``anew``, and store the run."""
    with greetings_hidden():
        from sidebyside.engine.training.fit import State, fit, is_over
        from sidebyside.storage.checkpoints import load_checkpoint, save_checkpoint
        from sidebyside.tracking.published.contents import epoch_line
        from sidebyside.tracking.publisher import Publisher
    config, key, recipe = job.config, job.run.key, job.recipe
    checkpoints = store.begin(key, anew) / store.CHECKPOINTS
    start, seconds_before = load_checkpoint(checkpoints) or (None, 0.0)
    began = time.monotonic() - seconds_before
    publisher, epochs = Publisher(tracker, job.card), recipe.epochs

    def on_epoch(state: State) -> None:
        if config.training.diverged == "fails":
            check_loss(state)
        with _failure_tolerated(state.epochs_done):
            if not is_over(recipe, state):
                save_checkpoint(checkpoints, state, time.monotonic() - began)
                keep(state.epochs_done)
            store.report_progress(key, state.epochs_done)
        publisher.log_epoch(state.epochs_done, state.figures())
        _say(epoch_line(state.epochs_done, epochs, state.figures()))

    if start:
        _say(f"going on after epoch {start.epochs_done}/{epochs}")
        store.report_progress(key, start.epochs_done)
    dataset = config.dataset.name
    journal.record("begun", dataset, [key], "train")
    with publisher:  # which may have epochs to log when the run is kept already
        with journal.looking(journal.VALIDATION, [key]), others.keeping(checkpoints) as keep:
            arrays = prepare(config.dataset, config.data_format)
            training, validation = training_arrays(arrays, recipe.protocol, recipe.seed)
            numerics = keys.numeric_class(job.identity)
            device = keys.device(job.identity)
            fitted = fit(recipe, numerics, training, validation, on_epoch, start, device)
        run = store.save(key, job.identity, fitted, time.monotonic() - began)
        journal.record("finished", dataset, [key], "train")
    return run


def _say(line: str) -> None:
    """Tell how a run is going: on the terminal, or in a worker's log."""
    _log.info(line)  # in the folder under outputs/ of a run alone
    print(line, file=sys.stderr, flush=True)


def _end_early(tracker: "Tracker", job: Job, status: str, report: str | None = None) -> None:
    """Tell MLflow that a run has ended early; that it can't be told doesn't hide why it did."""
    try:
        tracker.end_early(job.card, status, report)
    except Exception as error:
        _log.warning("MLflow didn't take that the run is %s: %s", status, type(error).__name__)


@contextmanager
def _failure_tolerated(epoch: int) -> Iterator[None]:
    """Go on without a checkpoint: a disk that is full for a moment doesn't end a training."""
    try:
        yield
    except OSError as error:
        _log.warning("no checkpoint after epoch %d: %s", epoch, error.strerror)
