"""Runs in MLflow: one parent for each launch or study, one child for each run key."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from mlflow.entities import Metric, Param, RunStatus, RunTag
from mlflow.entities import Run as MlflowRun
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from sidebyside.config.schema import Tracking
from sidebyside.redaction import without_passwords
from sidebyside.storage.evaluations import Evaluation
from sidebyside.storage.store import Run
from sidebyside.tracking.experiment import PUBLISHED, Experiment
from sidebyside.tracking.liveness import this_process
from sidebyside.tracking.missing import (
    NOT_EVALUATED,
    at_step,
    covers,
    missing_epochs,
    missing_figures,
    missing_params,
    schema,
)
from sidebyside.tracking.published.artifacts import write_artifacts
from sidebyside.tracking.published.contents import PARENT, RUN_NAME, Card, dataset_input
from sidebyside.tracking.reachable import first_line, speaks_http
from sidebyside.tracking.waiting import AwayError

T = TypeVar("T")

_MOST_METRICS = 800  # of the 1000 entities that MLflow takes at once
_REMOVED = "Current state is deleted"  # what MLflow says of a run that nobody may write to
_MOST_REMOVED = 10  # times in a row
_SETTLES_WITHIN = 0.5  # seconds from a look for a run to its being made, at a quick server
_log = logging.getLogger(__name__)


class Tracker(Experiment):
    """Writes runs to an experiment."""

    def __init__(self, tracking: Tracking) -> None:
        super().__init__(tracking)
        self._logged: dict[str, set[int]] = {}  # epochs by run, those that MLflow has taken

    def open_parent(self, name: str, tags: dict[str, str], reopen: bool) -> str:
        """Return the id of a RUNNING parent run.

        Parameters
        ----------
        name : str
            What the UI shows.
        tags : dict of str
            Say what the parent is.
        reopen : bool
            Take the run with these tags if there is one, as a study does.
        """
        with self._lock():
            known = self._the_only(tags) if reopen else None
            if known is not None:
                self._start(known, {})
                return str(known.info.run_id)
            made = self._create(tags | {RUN_NAME: name}, tags, settle=reopen)
            return str(made.info.run_id)

    def open_study(self, study: str, dataset: str) -> str:
        """Return the id of a study's RUNNING parent run, the one of before if there is one."""
        tags = {"study": study, "dataset": dataset, "level": "parent"}
        return self.open_parent(f"{study} on {dataset}", tags, reopen=True)

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

    def finish(self, run_id: str, status: str) -> None:
        """End a run with an MLflow status: "FINISHED", "FAILED" or "KILLED"."""
        self._patience.ask(self._client.set_terminated, run_id, status)

    def tag(self, run_id: str, tags: dict[str, str]) -> None:
        """Set tags of a run."""
        entities = [RunTag(name, value) for name, value in tags.items()]
        self._patience.ask(self._client.log_batch, run_id, tags=entities)

    @contextmanager
    def finishing(self, run_id: str) -> Iterator[None]:
        """End a run with what is done meanwhile: FINISHED, or KILLED where that is broken off."""
        status = "KILLED"
        try:
            yield
            status = "FINISHED"
        finally:
            self.finish(run_id, status)

    def end_early(self, card: Card, status: str, report: str | None = None) -> None:
        """Record that a run is "FAILED" or "KILLED", a report of it as artifact ``failure.txt``."""
        run_id = str(self.open_run(card).info.run_id)
        self.finish(run_id, status)
        if report is not None:
            text = without_passwords(report)
            self._patience.ask(self._client.log_text, run_id, text, "failure.txt")

    def log_file(self, run_id: str, path: Path, folder: str | None = None) -> None:
        """Add a file to a run's artifacts, to one of their folders if given."""
        self._patience.ask(self._client.log_artifact, run_id, str(path), folder)

    def _open_child(self, card: Card) -> MlflowRun:
        known = self._the_only({"run_key": card.run.key})
        if known is None:
            return self._create_child(card)
        self._start(known, card.tags() | self._parent_tag(known, card))
        self._log(known, params=missing_params(known, card.params()))
        return known

    def _publish(
        self, card: Card, run: Run, evaluation: Evaluation | None, role: str | None
    ) -> str | None:
        before = self._the_only({"run_key": card.run.key})
        self._complete(before or self._create_child(card), card, run, evaluation, role)
        return str(before.info.status) if before else None

    def _create_child(self, card: Card) -> MlflowRun:
        parent = {PARENT: card.parent} if card.parent else {}
        tags = card.tags() | parent | {RUN_NAME: card.name}
        made = self._create(tags, {"run_key": card.run.key})
        self._log(made, params=missing_params(made, card.params()))
        return made

    def _create(
        self, tags: dict[str, str], identity: dict[str, str], settle: bool = False
    ) -> MlflowRun:
        """Make a RUNNING run and return the only one with the tags that identify it.

        That may be another one, made at the same time on another machine. With ``settle``, all who
        make it at once see all of theirs before they go on, so that each goes on with the one that
        stays: nobody finds its run removed later.
        """
        began = time.monotonic()
        ask, tags = self._patience.ask, tags | this_process()
        made = ask(self._client.create_run, self._experiment_id, tags=tags)
        if settle and speaks_http(self.uri):
            time.sleep(max(_SETTLES_WITHIN, 3 * (time.monotonic() - began)))
        return self._the_only(identity) or made

    def _the_only(self, tags: dict[str, str]) -> MlflowRun | None:
        """Return the oldest run with these tags and remove others; None where there is none.

        A lock keeps processes of this machine apart; a server has none to offer. Nobody ever
        removes the oldest, and who makes a run looks afterwards: so of many there stays one.
        """
        found = self._search(tags)
        for other in found[1:]:
            with suppress(MlflowException):  # another machine has removed it
                self._patience.ask(self._client.delete_run, other.info.run_id)
        return found[0] if found else None

    def _start(self, known: MlflowRun, tags: dict[str, str]) -> None:
        running = RunStatus.to_string(RunStatus.RUNNING)
        if known.info.status != running:
            self._patience.ask(self._client.update_run, known.info.run_id, status=running)
        self._log(known, tags=tags | this_process())

    def _parent_tag(self, known: MlflowRun, card: Card) -> dict[str, str]:
        """Return the parent to move a run to, if any: a study takes it from an ad-hoc launch."""
        now = known.data.tags.get(PARENT)
        if card.parent is None or now == card.parent:
            return {}
        if now is None or (card.study and not self._is_study(now)):
            return {PARENT: card.parent} | card.tags()
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
            tags[f"launch.{card.launch}"] = role
        evaluated = evaluation.basis if evaluation else NOT_EVALUATED
        state = f"{run.weights_digest}:{schema()}:{evaluated}"
        if not covers(known.data.tags.get(PUBLISHED), state):
            params = card.params() | {"parameters": str(run.parameters)}
            metrics = missing_epochs(known, run, self._epochs_of(known, run))
            metrics += missing_figures(known, run, evaluation)
            self._log(known, metrics, missing_params(known, params))
            self._log_dataset(known, run)
            self._log_artifacts(known, card, run, evaluation)
            tags[PUBLISHED] = state
        self._log(known, tags=tags)
        if known.info.status != "FINISHED":
            self.finish(str(known.info.run_id), "FINISHED")

    def _log(
        self,
        run: MlflowRun,
        metrics: Sequence[Metric] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log all of this, in one request where MLflow takes so much at once."""
        more_params = [Param(name, value) for name, value in (params or {}).items()]
        more_tags = [RunTag(name, value) for name, value in (tags or {}).items()]
        ask, run_id = self._patience.ask, run.info.run_id
        while metrics or more_params or more_tags:
            ask(self._client.log_batch, run_id, metrics[:_MOST_METRICS], more_params, more_tags)
            metrics, more_params, more_tags = metrics[_MOST_METRICS:], [], []

    def _epochs_of(self, known: MlflowRun, run: Run) -> set[int]:
        """Return the epochs of a run that MLflow has."""
        own = self._logged.get(known.info.run_id, set())
        if "loss" not in known.data.metrics or len(own) == len(run.history["loss"]):
            return own
        # The figures of an epoch are logged at once or not at all: one of them tells of all.
        points = self._patience.ask(self._client.get_metric_history, known.info.run_id, "loss")
        return {point.step for point in points}

    def _log_dataset(self, known: MlflowRun, run: Run) -> None:
        if known.inputs is not None and known.inputs.dataset_inputs:
            return
        # Two that log the same new dataset at once break its uniqueness; a server is asked again.
        with nullcontext() if speaks_http(self.uri) else self._lock():
            ask, inputs = self._patience.ask, [dataset_input(run)]
            ask(self._client.log_inputs, known.info.run_id, inputs)

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
