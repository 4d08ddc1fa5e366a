"""Train one run: answered by the run store where it can, logged to MLflow either way."""

import logging
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from omegaconf import DictConfig

from sidebyside.config.schema import Config
from sidebyside.config.validate import check
from sidebyside.data.arrays import ProcessedArrays
from sidebyside.data.prepare import prepare
from sidebyside.errors import UserError
from sidebyside.execution.evaluate import evaluate, is_evaluated, stored_evaluation
from sidebyside.stderr import greetings_hidden
from sidebyside.storage import journal, keys, staleness, store
from sidebyside.storage.store import Run

RETRAIN_VARIABLE = "SIDEBYSIDE_RETRAIN"

_log = logging.getLogger(__name__)


def train(config: DictConfig) -> Run:
    """Train the run of ``config``, or take it from the run store if it is there.

    Data that aren't there are downloaded and preprocessed. With ``evaluate`` the test set is
    opened once training is over. The run is in MLflow afterwards, whoever trained it.

    Parameters
    ----------
    config : omegaconf.DictConfig
        As Hydra composes it from ``conf/config.yaml``.

    Returns
    -------
    Run
        The finished run in the run store.

    Raises
    ------
    UserError
        If the config is refused or something on this machine has to be put right first.
    """
    return train_checked(check(config))


def train_checked(checked: Config) -> Run:
    """Do what `train` does for a config that was checked before."""
    if checked.launch is None:  # else the sweeper has looked, once for all runs
        _look_before(checked)
    arrays = prepare(checked.dataset, checked.data_format)
    with greetings_hidden():
        from sidebyside.tracking.client import Card, Tracker
    identity = keys.identity(checked, arrays)
    key = keys.run_key(identity)
    if checked.launch and checked.launch.key != key:
        raise UserError(
            "The code, the data or the environment changed while the sweep was running, so this "
            f"run would not be {checked.launch.key[:12]}, which was asked for. Start it again."
        )
    study = checked.study.name if checked.study else None
    card = Card(key, identity["recipe"], checked.launch, study)
    tracker = Tracker(checked.tracking)
    with store.locked(key):
        try:
            run, role = _obtain(checked, arrays, identity, card, tracker)
            evaluation = None
            if checked.evaluate:
                evaluation = evaluate(run, again=role == "retrained")
            tracker.publish(card, run, evaluation, role)
        except Exception:
            _end_early(tracker, card, "FAILED", traceback.format_exc())
            raise
        except KeyboardInterrupt:
            _end_early(tracker, card, "KILLED")
            raise
    if checked.launch:
        store.announce(checked.launch.id, key)
    return run


def report(run: Run) -> None:
    """Print what came out of a run."""
    lines = [f"run {run.key[:12]} in {run.folder}", f"protocol {run.recipe['protocol']}"]
    if accuracy := run.history.get("val_accuracy"):
        lines.append(f"validation error {100 * (1 - accuracy[-1]):.2f} %")
    if is_evaluated(run.key):
        found = stored_evaluation(run.key)
        lines.append(f"test error {found.test_error:.2f} %, test loss {found.test_loss:.4f}")
    print("\n".join(lines))


def retraining() -> bool:
    """Whether finished runs are to be trained anew, to show that they come out the same."""
    return os.environ.get(RETRAIN_VARIABLE, "") not in ("", "0")


def _look_before(config: Config) -> None:
    store.check_writable()
    with greetings_hidden():
        from sidebyside.execution.preflight import check_trainable
        from sidebyside.tracking.client import Tracker
    tracker = Tracker(config.tracking)
    tracker.prepare()
    tracker.close_dead()
    check_trainable([config])


def _obtain(
    config: Config, arrays: ProcessedArrays, identity: dict[str, Any], card: Any, tracker: Any
) -> tuple[Run, str]:
    """Return the run and what was done for it: "reused", "trained" or "retrained"."""
    stored = store.find(card.key)
    if stored and not retraining():
        return stored, "reused"
    if stored is None and config.launch is None and (stale := staleness.explain([identity])):
        _say(config, stale)
    run = _fit(config, arrays, identity, card, tracker, anew=stored is not None)
    return run, "retrained" if stored else "trained"


def _fit(
    config: Config,
    arrays: ProcessedArrays,
    identity: dict[str, Any],
    card: Any,
    tracker: Any,
    anew: bool,
) -> Run:
    """Train from the last checkpoint on, unless ``anew``, and store the run."""
    with greetings_hidden():
        from sidebyside.engine.training.fit import State, fit
        from sidebyside.storage.checkpoints import load_checkpoint, save_checkpoint
        from sidebyside.tracking.client import epoch_line
    checkpoints = store.begin(card.key, anew) / store.CHECKPOINTS
    start, seconds_before = load_checkpoint(checkpoints) or (None, 0.0)
    began = time.monotonic() - seconds_before
    mlflow_run, epochs = tracker.open_run(card), config.training.epochs

    def on_epoch(state: State) -> None:
        with _failure_tolerated(state.epochs_done):
            if state.epochs_done < epochs:
                save_checkpoint(checkpoints, state, time.monotonic() - began)
            store.report_progress(card.key, state.epochs_done)
        tracker.log_epoch(mlflow_run, state.epochs_done, state.figures())
        _say(config, epoch_line(state.epochs_done, epochs, state.figures()))

    if start:
        _say(config, f"going on after epoch {start.epochs_done}/{epochs}")
        store.report_progress(card.key, start.epochs_done)
    journal.record("begun", config.dataset.name, [card.key], "train")
    with journal.looking(journal.VALIDATION, [card.key]):
        fitted = fit(config, arrays, on_epoch, start)
    run = store.save(card.key, identity, fitted, time.monotonic() - began)
    journal.record("finished", config.dataset.name, [card.key], "train")
    return run


def _say(config: Config, line: str) -> None:
    _log.info(line)  # in the run's folder under outputs/
    if config.launch is None:  # else the launch shows progress for all runs together
        print(line, file=sys.stderr)


def _end_early(tracker: Any, card: Any, status: str, report: str | None = None) -> None:
    """Tell MLflow that a run has ended early; that it can't be told doesn't hide why it did."""
    try:
        tracker.end_early(card, status, report)
    except Exception as error:
        _log.warning("MLflow didn't take that the run is %s: %s", status, type(error).__name__)


@contextmanager
def _failure_tolerated(epoch: int) -> Iterator[None]:
    """Go on without a checkpoint: a disk that is full for a moment doesn't end a training."""
    try:
        yield
    except OSError as error:
        _log.warning("no checkpoint after epoch %d: %s", epoch, error.strerror)
