"""A study's results to a tracking store that doesn't have them, or not all of them."""

from collections.abc import Iterator
from dataclasses import dataclass

from sidebyside.config.schema import Launch, Tracking
from sidebyside.execution.evaluate import Evaluation
from sidebyside.storage import store
from sidebyside.storage.results import StudyResults, StudyRun, read_train_results
from sidebyside.storage.store import DamagedError, Run
from sidebyside.tracking.client import Card, Tracker

_LAUNCH = "sync"


@dataclass(frozen=True)
class Synced:
    """A published run; ``status`` is what the store said of it before, None if nothing."""

    run: StudyRun
    status: str | None


def sync(dataset: str, study: str, tracking: Tracking) -> Iterator[Synced]:
    """Publish each run of a study's results, keyed by run key; yield them one by one.

    What is there already isn't logged again, what is there in part is completed. Runs that dead
    processes of this machine left RUNNING are closed first.

    Parameters
    ----------
    dataset, study : str
    tracking : Tracking
        The store to publish to.

    Raises
    ------
    UserError
        If there are no results, they are damaged, or the store can't be reached.
    """
    results = read_train_results(dataset, study)
    loaded = [(run, results.load(run)) for run in results.trained]  # before anything is logged
    tracker = Tracker(tracking)
    tracker.prepare()
    tracker.close_dead()
    known = tracker.known_keys()
    tags = {"study": study, "dataset": dataset, "level": "parent"}
    parent = tracker.open_parent(f"{study} on {dataset}", tags, reopen=True)
    status = "KILLED"
    try:
        for run, trained in loaded:
            _publish(tracker, results, run, trained, parent)
            yield Synced(run, known.get(run.key))
        status = "FINISHED"
    finally:
        tracker.finish(parent, status)


def _publish(
    tracker: Tracker, results: StudyResults, run: StudyRun, trained: Run, parent: str
) -> None:
    launch = Launch(_LAUNCH, parent, run.key, run.variant, run.factors)
    card = Card(run.key, trained.recipe, launch, results.study)
    with store.locked(run.key):
        tracker.publish(card, trained, _evaluation(results, run))


def _evaluation(results: StudyResults, run: StudyRun) -> Evaluation | None:
    try:
        return results.evaluation(run)
    except DamagedError:
        return None  # not evaluated yet: what the training left is published all the same
