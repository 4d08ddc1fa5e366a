"""Runs in MLflow: one for each run key, below its variant and its launch or study."""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from mlflow.entities import Run as MlflowRun
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from sidebyside.config.schema import Tracking
from sidebyside.redaction import without_passwords
from sidebyside.storage.evaluations import Evaluation
from sidebyside.storage.store import Run
from sidebyside.tracking.experiment import PUBLISHED
from sidebyside.tracking.missing import (
    NOT_EVALUATED,
    at_step,
    changed_metrics,
    covers,
    missing_epochs,
    missing_params,
    schema,
)
from sidebyside.tracking.parents import Parents
from sidebyside.tracking.published.artifacts import write_artifacts
from sidebyside.tracking.published.contents import (
    LAUNCH,
    PARENT,
    Card,
    figures,
    measured_tags,
)
from sidebyside.tracking.reachable import first_line
from sidebyside.tracking.waiting import AwayError

T = TypeVar("T")

_REMOVED = "Current state is deleted"  # what MLflow says of a run that nobody may write to
_MOST_REMOVED = 10  # times in a row
_REMOVED_TAGS = ("process.", "launch.", "published")
_log = logging.getLogger(__name__)


class Tracker(Parents):
    """Writes runs to an experiment."""

    def __init__(self, tracking: Tracking) -> None:
        super().__init__(tracking)
        self._logged: dict[str, set[int]] = {}  # epochs by run, those that MLflow has taken

    def open_run(self, card: Card) -> MlflowRun:
        """Return the RUNNING child for a run key, making it where there is none."""
        return _while_removed(partial(self._open_child, card))

    def log_epochs(self, opened: MlflowRun, epochs: Mapping[int, Mapping[str, float]]) -> None:
        """Log the figures after some epochs, which count from 1, in one request.

        A store that doesn't take them doesn't end a training: `publish` logs what is missing.
        """
        try:
            self._log(
                opened, [m for number in epochs for m in at_step(opened, epochs[number], number)]
            )
            self._logged.setdefault(str(opened.info.run_id), set()).update(epochs)
        except (MlflowException, AwayError) as error:
            reason = without_passwords(first_line(error))
            _log.warning("MLflow didn't take epoch %d: %s", max(epochs), reason)

    def publish(
        self, card: Card, run: Run, evaluation: Evaluation | None, role: str | None = None
    ) -> str | None:
        """Make MLflow's run equal to the stored one and FINISHED.

        Idempotent: what is there already isn't logged again.

        Parameters
        ----------
        card : Card
        run : Run
        evaluation : Evaluation or None
            None where the test set hasn't been opened yet.
        role : str, optional
            What the launch did with the run: "trained", "reused" or "retrained".

        Returns
        -------
        str or None
            The status that it had before, None where MLflow didn't know it.
        """
        return _while_removed(partial(self._publish, card, run, evaluation, role))

    def end_early(self, card: Card, status: str, report: str | None = None) -> None:
        """Record that a run is "FAILED" or "KILLED", a report of it as artifact ``failure.txt``."""
        run_id = str(self.open_run(card).info.run_id)
        self.finish(run_id, status)
        if report is not None:
            text = without_passwords(report)
            self._patience.ask(self._client.log_text, run_id, text, "failure.txt")

    def _open_child(self, card: Card) -> MlflowRun:
        known = self._the_only({"run_key": card.run.key})
        if known is None:
            return self._create_child(card)
        self._start(known, card.tags(self.labels) | self._parent_tag(known, card))
        self._log(known, params=missing_params(known, card.params()))
        return known

    def _publish(
        self, card: Card, run: Run, evaluation: Evaluation | None, role: str | None
    ) -> str | None:
        before = self._the_only({"run_key": card.run.key})
        self._complete(before or self._create_child(card), card, run, evaluation, role)
        return str(before.info.status) if before else None

    def _create_child(self, card: Card) -> MlflowRun:
        parent = {PARENT: card.above} if card.above else {}
        tags = card.tags(self.labels) | parent
        made = self._create(tags, {"run_key": card.run.key})
        self._log(made, params=missing_params(made, card.params()))
        return made

    def _parent_tag(self, known: MlflowRun, card: Card) -> dict[str, str]:
        """Return the parent to move a run to, if any: a study takes it from an ad-hoc launch."""
        now = known.data.tags.get(PARENT)
        if card.above is None or now == card.above:
            return {}
        # Right below its study is where a run was before there were runs of variants.
        if now in (None, card.parent) or (card.study and not self._is_study(now)):
            return {PARENT: card.above} | card.tags(self.labels)
        return {}

    def _is_study(self, run_id: str) -> bool:
        with suppress(MlflowException):
            parent = self._patience.ask(self._client.get_run, run_id)
            return parent.info.lifecycle_stage == "active" and "study" in parent.data.tags
        return False

    def _complete(
        self,
        known: MlflowRun,
        card: Card,
        run: Run,
        evaluation: Evaluation | None,
        role: str | None,
    ) -> None:
        """Log what is missing, with as few requests as may be, and what vouches for it last."""
        tags = self._parent_tag(known, card)
        if role and card.launch:
            tags[f"{LAUNCH}{card.launch}"] = role
        evaluated = evaluation.basis if evaluation else NOT_EVALUATED
        state = f"{run.weights_digest}:{schema()}:{evaluated}"
        if not covers(known.data.tags.get(PUBLISHED), state):
            params = card.params() | {"parameters": str(run.parameters)}
            logged = self._epochs_of(known, run)
            metrics = missing_epochs(known, run, logged)
            if max(logged, default=0) > len(run.history["loss"]):  # epochs that weren't kept
                metrics += changed_metrics(known, {k: own[-1] for k, own in run.history.items()})
            metrics += changed_metrics(known, figures(evaluation))
            self._log(known, metrics, missing_params(known, params))
            self.log_dataset(known, run.identity)
            self._log_artifacts(known, card, run, evaluation)
            self._remove_tags(known)
            tags |= card.tags(self.labels) | measured_tags(run) | {PUBLISHED: state}
        self._log(known, tags=tags)
        if known.info.status != "FINISHED":
            self.finish(str(known.info.run_id), "FINISHED")

    def _epochs_of(self, known: MlflowRun, run: Run) -> set[int]:
        """Return the epochs of a run that MLflow has."""
        own = self._logged.get(known.info.run_id, set())
        if "loss" not in known.data.metrics or len(own) == len(run.history["loss"]):
            return own
        # The figures of an epoch are logged at once or not at all: one of them tells of all.
        points = self._patience.ask(self._client.get_metric_history, known.info.run_id, "loss")
        return {point.step for point in points}

    def _remove_tags(self, known: MlflowRun) -> None:
        """Remove tags of earlier versions, which the UI would offer to group runs by."""
        for name in known.data.tags:
            if name.startswith(_REMOVED_TAGS):
                self._patience.ask(self._client.delete_tag, known.info.run_id, name)

    def _log_artifacts(
        self, known: MlflowRun, card: Card, run: Run, evaluation: Evaluation | None
    ) -> None:
        with TemporaryDirectory() as temporary:
            folder = Path(temporary)
            write_artifacts(folder, card, run, evaluation)
            # What the client would do, without asking for the address that is known.
            artifacts = get_artifact_repository(known.info.artifact_uri, self.uri)
            self._patience.ask(artifacts.log_artifacts, str(folder))


def _while_removed(call: Callable[[], T]) -> T:
    """Do something with a run, anew if another machine removes it in favour of an older one."""
    for _ in range(_MOST_REMOVED):
        try:
            return call()
        except MlflowException as error:
            if _REMOVED not in str(error):
                raise
    return call()
