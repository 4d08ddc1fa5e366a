"""The MLflow runs of variants, each above those of its seeds."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from statistics import mean, stdev

from mlflow.entities import Run as MlflowRun

from sidebyside.config.metrics import ERROR
from sidebyside.storage.evaluations import Evaluation
from sidebyside.storage.results import StudyResults
from sidebyside.storage.store import Run
from sidebyside.tracking.client import Tracker
from sidebyside.tracking.published.contents import Card
from sidebyside.tracking.shown.judged import reported_metric


class Variants:
    """The runs of the variants of one launch or study.

    Parameters
    ----------
    tracker : Tracker
    parent : str
        The id of the MLflow run of the launch or study.
    """

    def __init__(self, tracker: Tracker, parent: str) -> None:
        self._tracker = tracker
        self._parent = parent
        self._opened: dict[str, MlflowRun] = {}

    def open(self, cards: Sequence[Card]) -> list[Card]:
        """Return the cards of runs below their variants', making those that aren't there."""
        new = [card for card in cards if card.run.variant not in self._opened]
        if new:
            self._opened |= self._tracker.open_variants(self._parent, new)
        return [replace(card, variant=self._opened[card.run.variant].info.run_id) for card in cards]

    def close(
        self,
        cards: Sequence[Card],
        finished: Collection[str],
        tested: Callable[[str], Evaluation | None],
        status: str = "FINISHED",
    ) -> None:
        """End those that were opened, with mean and standard deviation of the test error.

        Of a variant with runs that aren't finished, or not evaluated, nothing is logged. Intervals,
        ranks and verdicts come with the report, see `publish_report`, and so does the deviation
        where that goes by another metric.

        Parameters
        ----------
        cards : sequence of Card
            Of all runs of the launch or study.
        finished : collection of str
            The keys of those that are finished.
        tested : callable
            Returns what a finished run did on the test set, by its key.
        status : str
            Of variants of which runs aren't finished.
        """
        by_variant: dict[str, list[Card]] = {name: [] for name in self._opened}
        for card in cards:
            if card.run.variant in by_variant:
                by_variant[card.run.variant].append(card)
        by_error = _judged_by_error(cards)
        for name, own in by_variant.items():
            done = [card for card in own if card.run.key in finished]
            self._tracker.supersede(self._opened[name], done)
            whole = len(done) == len(own)
            self._tracker.complete(
                self._opened[name],
                _figures([tested(card.run.key) for card in own], by_error) if whole else {},
                own[0].variant_params(),
                {},
                "FINISHED" if whole else status,
            )


def study_cards(
    results: StudyResults, loaded: Sequence[Run], parent: str, class_names: Sequence[str]
) -> list[Card]:
    """Return what MLflow is told about a study's runs, which are given as they were loaded."""
    return [
        Card(run, trained.recipe, results.study, parent, class_names=class_names)
        for run, trained in zip(results.trained, loaded, strict=True)
    ]


def _figures(evaluations: Sequence[Evaluation | None], by_error: bool) -> dict[str, float]:
    tested = [own for own in evaluations if own is not None]
    if len(tested) < len(evaluations):
        return {}
    errors = [own.test_error for own in tested]
    # The UI's comparison of variants opens on the first.
    figures = {
        "test_error": mean(errors),
        "test_loss": mean(own.test_loss for own in tested),
        "n": len(tested),
    }
    if len(errors) > 1 and by_error:
        figures["sd"] = stdev(errors)
    return {name: round(figure, 6) for name, figure in figures.items()}  # as in a report


def _judged_by_error(cards: Sequence[Card]) -> bool:
    """Whether the deviation that MLflow shows is that of the test error."""
    studies = {(card.study, card.recipe.dataset) for card in cards if card.study}
    return all(reported_metric(*names) == ERROR for names in studies)
