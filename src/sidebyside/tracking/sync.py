"""A study's results to a tracking store that doesn't have them, or not all of them."""

from collections.abc import Iterator
from dataclasses import dataclass

from sidebyside import paths
from sidebyside.config.datasets import Dataset
from sidebyside.config.schema import Tracking
from sidebyside.storage import store
from sidebyside.storage.evaluations import Evaluation
from sidebyside.storage.results import StudyResults, StudyRun, load_study
from sidebyside.tracking.client import Tracker
from sidebyside.tracking.reports import publish_report
from sidebyside.tracking.shown.judged import reported_metric
from sidebyside.tracking.shown.variants import Variants, study_cards
from sidebyside.tracking.shown.views import study_views


@dataclass(frozen=True)
class Synced:
    """A published run; ``status`` is what the store said of it before, None if nothing."""

    run: StudyRun
    status: str | None


def sync(dataset: Dataset, study: str, tracking: Tracking) -> Iterator[Synced]:
    """Publish each run of a study's results, keyed by run key; yield them one by one.

    What is there already isn't logged again, what is there in part is completed. Runs that dead
    processes of this machine left RUNNING are closed first.

    Parameters
    ----------
    dataset : Dataset
    study : str
    tracking : Tracking
        The store to publish to.

    Raises
    ------
    UserError
        If there are no results, they are damaged, or the store can't be reached.
    """
    results = load_study(dataset.name, study)
    loaded = [results.load(run) for run in results.trained]  # before anything is logged
    tested = {run.key: _evaluation(results, run) for run in results.trained}
    tracker = Tracker(tracking)
    tracker.prepare()
    tracker.close_dead()
    parent = tracker.open_study(study, dataset.name)
    with tracker.finishing(parent):
        variants = Variants(tracker, parent)
        cards = variants.open(study_cards(results, loaded, parent, dataset.class_names))
        for card, trained in zip(cards, loaded, strict=True):
            with store.locked(card.run.key):
                status = tracker.publish(card, trained, tested[card.run.key])
            yield Synced(card.run, status)
        variants.close(cards, tested.keys(), tested.get)
    if cards:
        factors, metric = list(cards[0].run.factors), reported_metric(study, dataset.name)
        tracker.show(study_views(study, dataset.name, factors, metric))
    publish_report(paths.reports(dataset.name, study), study, dataset.name, tracking)


def _evaluation(results: StudyResults, run: StudyRun) -> Evaluation | None:
    # Of one that isn't evaluated yet, what the training left is published all the same.
    return results.evaluation(run) if results.is_evaluated(run) else None
