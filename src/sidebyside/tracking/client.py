"""Runs in MLflow: one parent for each launch or study, one child for each run key."""

import hashlib
import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow.entities import Metric, Param, RunStatus, RunTag
from mlflow.entities import Run as MlflowRun
from mlflow.exceptions import MlflowException

from sidebyside.files import source_digests
from sidebyside.redaction import without_passwords
from sidebyside.storage.evaluations import Evaluation
from sidebyside.storage.store import Run
from sidebyside.tracking.experiment import PUBLISHED, Experiment
from sidebyside.tracking.liveness import this_process
from sidebyside.tracking.published.artifacts import write_artifacts
from sidebyside.tracking.published.contents import PARENT, RUN_NAME, Card, dataset_input, figures
from sidebyside.tracking.reachable import first_line

_NOT_EVALUATED = "not evaluated"
_DECIDING = "tracking/published"
_log = logging.getLogger(__name__)


class Tracker(Experiment):
    """Writes runs to an experiment."""

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
            known = self._search(tags) if reopen else []
            if known:
                self._start(known[0].info.run_id, {})
                return str(known[0].info.run_id)
            created = self._client.create_run(
                self._experiment_id(), tags=tags | {RUN_NAME: name} | this_process()
            )
            return str(created.info.run_id)

    def open_study(self, study: str, dataset: str) -> str:
        """Return the id of a study's RUNNING parent run, the one of before if there is one."""
        tags = {"study": study, "dataset": dataset, "level": "parent"}
        return self.open_parent(f"{study} on {dataset}", tags, reopen=True)

    def open_run(self, card: Card) -> str:
        """Return the id of the RUNNING child for a run key, making it where there is none."""
        known = self._search({"run_key": card.run.key})
        tags = card.tags()
        if known:
            run_id = str(known[0].info.run_id)
            self._start(run_id, tags | self._parent_tag(known[0], card))
        else:
            parent = {PARENT: card.parent} if card.parent else {}
            tags |= parent | {RUN_NAME: card.name} | this_process()
            self._client.create_run(self._experiment_id(), tags=tags)
            run_id = self._the_only(card.run.key)
        self._log_missing_params(run_id, card.params())
        return run_id

    def log_epoch(self, run_id: str, epoch: int, figures: dict[str, float]) -> None:
        """Log the figures after ``epoch``, from 1.

        A store that fails for a moment doesn't end a training: `publish` logs what is missing.
        """
        try:
            self._client.log_batch(run_id, metrics=_metrics(figures, epoch))
        except MlflowException as error:
            reason = without_passwords(first_line(error))
            _log.warning("MLflow didn't take epoch %d: %s", epoch, reason)

    def publish(
        self, card: Card, run: Run, evaluation: Evaluation | None, role: str | None = None
    ) -> str:
        """Make MLflow's run equal to the stored one and FINISHED; return its id.

        Idempotent: what is there already isn't logged again.

        Parameters
        ----------
        card : Card
        run : Run
        evaluation : Evaluation or None
            None where the test set hasn't been opened yet.
        role : str, optional
            What the launch did with the run: "trained", "reused" or "retrained".
        """
        registered = self._search({"run_key": card.run.key})
        run_id = str(registered[0].info.run_id) if registered else self.open_run(card)
        known = self._client.get_run(run_id)
        tags = self._parent_tag(known, card)
        if role and card.launch:
            tags[f"launch.{card.launch}"] = role
        evaluated = evaluation.basis if evaluation else _NOT_EVALUATED
        state = f"{run.weights_digest}:{_schema()}:{evaluated}"
        if not _covers(known.data.tags.get(PUBLISHED), state):
            self._log_missing_params(run_id, card.params() | {"parameters": str(run.parameters)})
            self._log_missing_epochs(run_id, known, run)
            self._log_results(known, card, run, evaluation)
            tags[PUBLISHED] = state
        self._set_tags(run_id, tags)
        if known.info.status != "FINISHED":
            self._client.set_terminated(run_id, "FINISHED")
        return self._the_only(card.run.key)

    def finish(self, run_id: str, status: str) -> None:
        """End a run with an MLflow status: "FINISHED", "FAILED" or "KILLED"."""
        self._client.set_terminated(run_id, status)

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
        run_id = self.open_run(card)
        self.finish(run_id, status)
        if report is not None:
            self._client.log_text(run_id, without_passwords(report), "failure.txt")

    def log_file(self, run_id: str, path: Path, folder: str | None = None) -> None:
        """Add a file to a run's artifacts, to one of their folders if given."""
        self._client.log_artifact(run_id, str(path), folder)

    def _start(self, run_id: str, tags: dict[str, str]) -> None:
        self._client.update_run(run_id, status=RunStatus.to_string(RunStatus.RUNNING))
        self._set_tags(run_id, tags | this_process())

    def _the_only(self, key: str) -> str:
        """Return the oldest run with this key and remove others, made on another machine at once.

        A lock keeps processes of this machine apart; a server has none to offer.
        """
        known = self._search({"run_key": key})
        known.sort(key=lambda run: (run.info.start_time, run.info.run_id))
        for other in known[1:]:
            self._client.delete_run(other.info.run_id)
        return str(known[0].info.run_id)

    def _set_tags(self, run_id: str, tags: dict[str, str]) -> None:
        if tags:
            entities = [RunTag(name, value) for name, value in tags.items()]
            self._client.log_batch(run_id, tags=entities)

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
            parent = self._client.get_run(run_id)
            return parent.info.lifecycle_stage == "active" and "study" in parent.data.tags
        return False

    def _log_missing_params(self, run_id: str, params: dict[str, str]) -> None:
        logged = self._client.get_run(run_id).data.params
        missing = [Param(name, value) for name, value in params.items() if name not in logged]
        if missing:
            self._client.log_batch(run_id, params=missing)

    def _log_missing_epochs(self, run_id: str, known: MlflowRun, run: Run) -> None:
        metrics: list[Metric] = []
        for name, values in run.history.items():
            steps: set[int] = set()
            if name in known.data.metrics:
                steps = {point.step for point in self._client.get_metric_history(run_id, name)}
            for epoch, value in enumerate(values, start=1):
                if epoch not in steps:
                    metrics += _metrics({name: value}, epoch)
        if metrics:
            self._client.log_batch(run_id, metrics=metrics)

    def _log_results(
        self, known: MlflowRun, card: Card, run: Run, evaluation: Evaluation | None
    ) -> None:
        run_id, logged = str(known.info.run_id), known.data.metrics
        results = figures(run, evaluation).items()
        missing = {name: value for name, value in results if logged.get(name) != value}
        self._client.log_batch(run_id, metrics=_metrics(missing, len(run.history["loss"])))
        with self._lock():  # two that log the same new dataset at once break its uniqueness
            self._client.log_inputs(run_id, [dataset_input(run)])
        with TemporaryDirectory() as temporary:
            folder = Path(temporary)
            write_artifacts(folder, card, run, evaluation)
            self._client.log_artifacts(run_id, str(folder))


def _metrics(figures: dict[str, float], step: int) -> list[Metric]:
    now = time.time_ns() // 1_000_000  # MLflow counts milliseconds
    return [Metric(name, value, now, step) for name, value in figures.items()]


def _schema() -> str:
    """Return a digest of the code that decides what is published of a run."""
    return hashlib.sha256(json.dumps(source_digests(_DECIDING)).encode()).hexdigest()[:12]


def _covers(published: str | None, state: str) -> bool:
    """Whether what MLflow has is the stored state, or the same run with its evaluation."""
    if published is None:
        return False
    before, _, evaluated = state.rpartition(":")
    return published == state or (
        evaluated == _NOT_EVALUATED and published.startswith(f"{before}:")
    )
