"""The MLflow runs of variants, each above those of its seeds."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from statistics import mean, stdev

from mlflow.entities import Run as MlflowRun

from sidebyside.storage.evaluations import Evaluation
from sidebyside.storage.results import StudyResults
from sidebyside.storage.store import Run
from sidebyside.tracking.client import Tracker
from sidebyside.tracking.published.contents import Card


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

        Intervals, ranks and verdicts come with the report, see `publish_report`.

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
        for name, own in by_variant.items():
            done = [card for card in own if card.run.key in finished]
            self._tracker.supersede(self._opened[name], done)
            whole = len(done) == len(own)
            evaluations = [tested(card.run.key) for card in own] if whole else []
            self._tracker.complete(
                self._opened[name],
                _figures([one for one in evaluations if one is not None]),
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


def _figures(tested: Sequence[Evaluation]) -> dict[str, float]:
    if not tested:
        return {}
    errors = [own.test_error for own in tested]
    # The UI's comparison of variants opens on the first.
    figures = {
        "test_error": mean(errors),
        "test_loss": mean(own.test_loss for own in tested),
        "n": len(tested),
    }
    if len(errors) > 1:
        figures["sd"] = stdev(errors)
    return {name: round(figure, 6) for name, figure in figures.items()}  # as in a report
