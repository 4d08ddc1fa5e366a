"""A study's results to a tracking store that doesn't have them, or not all of them."""

from collections.abc import Iterator
from dataclasses import dataclass

from sidebyside.config.schema import Tracking
from sidebyside.storage import store
from sidebyside.storage.evaluations import Evaluation
from sidebyside.storage.results import StudyResults, StudyRun, load_study
from sidebyside.storage.store import DamagedError, Run
from sidebyside.tracking.client import Tracker
from sidebyside.tracking.published.contents import Card


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
    results = load_study(dataset, study)
    loaded = [(run, results.load(run)) for run in results.trained]  # before anything is logged
    tracker = Tracker(tracking)
    tracker.prepare()
    tracker.close_dead()
    parent = tracker.open_study(study, dataset)
    with tracker.finishing(parent):
        for run, trained in loaded:
            yield Synced(run, _publish(tracker, results, run, trained, parent))


def _publish(
    tracker: Tracker, results: StudyResults, run: StudyRun, trained: Run, parent: str
) -> str | None:
    card = Card(run, trained.recipe, results.study, parent)
    with store.locked(run.key):
        return tracker.publish(card, trained, _evaluation(results, run))


def _evaluation(results: StudyResults, run: StudyRun) -> Evaluation | None:
    try:
        return results.evaluation(run)
    except DamagedError:
        return None  # not evaluated yet: what the training left is published all the same
