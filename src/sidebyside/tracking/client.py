"""Runs in MLflow: one parent for each launch or study, one child for each run key."""

import json
import logging
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

# Read when MLflow is imported.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # it would print its password too

import mlflow
import requests
import yaml
from filelock import FileLock
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunStatus, RunTag
from mlflow.entities import Run as MlflowRun
from mlflow.exceptions import MlflowException
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError

from sidebyside import paths
from sidebyside.config.schema import Launch, Tracking
from sidebyside.errors import UserError
from sidebyside.execution.evaluate import Evaluation
from sidebyside.redaction import without_passwords
from sidebyside.storage.store import Run
from sidebyside.tracking.liveness import is_alive, this_process

_ANSWER_WITHIN = 5  # seconds
_PARENT = "mlflow.parentRunId"
_RUN_NAME = "mlflow.runName"
_PUBLISHED = "published"
_DIGEST_LENGTH = 36  # what MLflow accepts for a dataset
_log = logging.getLogger(__name__)
logging.getLogger("mlflow").setLevel(logging.WARNING)  # it reports every step of a migration
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # it raises what it reports


@dataclass(frozen=True)
class Card:
    """What MLflow is told about a run besides its results.

    ``launch`` and ``study`` are None for a run that was started alone.
    """

    key: str
    recipe: dict[str, Any]
    launch: Launch | None
    study: str | None


class Tracker:
    """The tracking store of a config.

    Parameters
    ----------
    tracking : Tracking
        ``uri`` None is ``mlflow.db`` at home.
    """

    def __init__(self, tracking: Tracking) -> None:
        database = paths.home() / "mlflow.db"
        self.uri = tracking.uri or f"sqlite:///{database}"
        self._experiment = tracking.experiment

    @cached_property
    def _client(self) -> mlflow.MlflowClient:
        return mlflow.MlflowClient(tracking_uri=self.uri)  # connects, and tries for two minutes

    def prepare(self) -> None:
        """Check that the store answers, create the database and the experiment.

        To be called in one process before others log: several that meet a fresh SQLite file break
        in its migrations.

        Raises
        ------
        UserError
            If the store can't be reached or written.
        """
        try:
            _check_reachable(self.uri)
            with self._lock():
                if self._client.get_experiment_by_name(self._experiment) is None:
                    self._client.create_experiment(self._experiment, self._artifact_location())
        except (MlflowException, SQLAlchemyError, ImportError, OSError) as error:
            raise UserError(
                without_passwords(
                    f"The tracking store {self.uri} can't be reached or used "
                    f"({_reason(error)}). Start it, give access to it, or set tracking.uri or "
                    "MLFLOW_TRACKING_URI to another one."
                )
            ) from None

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
            found = self._search(tags) if reopen else []
            if found:
                self._start(found[0].info.run_id, {})
                return str(found[0].info.run_id)
            created = self._client.create_run(
                self._experiment_id(), tags=tags | {_RUN_NAME: name} | this_process()
            )
            return str(created.info.run_id)

    def open_run(self, card: Card) -> str:
        """Return the id of the RUNNING child for a run key, making it where there is none."""
        found = self._search({"run_key": card.key})
        tags = _tags(card)
        if found:
            run_id = str(found[0].info.run_id)
            self._start(run_id, tags | self._parent_tag(found[0], card))
        else:
            parent = {_PARENT: card.launch.parent} if card.launch else {}
            tags |= parent | {_RUN_NAME: _run_name(card)} | this_process()
            self._client.create_run(self._experiment_id(), tags=tags)
            run_id = self._the_only(card.key)
        self._log_missing_params(run_id, _params(card))
        return run_id

    def log_epoch(self, run_id: str, epoch: int, figures: dict[str, float]) -> None:
        """Log the figures after ``epoch``, from 1.

        A store that fails for a moment doesn't end a training: `publish` logs what is missing.
        """
        try:
            self._client.log_batch(run_id, metrics=_metrics(figures, epoch))
        except MlflowException as error:
            reason = without_passwords(_first_line(error))
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
        found = self._search({"run_key": card.key})
        run_id = str(found[0].info.run_id) if found else self.open_run(card)
        known = self._client.get_run(run_id)
        tags = self._parent_tag(known, card)
        if role and card.launch:
            tags[f"launch.{card.launch.id}"] = role
        state = f"{run.weights_digest}:{evaluation.basis if evaluation else 'not evaluated'}"
        if not _covers(known.data.tags.get(_PUBLISHED), state):
            self._log_missing_params(run_id, _params(card) | {"parameters": str(run.parameters)})
            self._log_missing_epochs(run_id, known, run)
            self._log_results(run_id, card, run, evaluation)
            tags[_PUBLISHED] = state
        self._set_tags(run_id, tags)
        if known.info.status != "FINISHED":
            self._client.set_terminated(run_id, "FINISHED")
        return self._the_only(card.key)

    def finish(self, run_id: str, status: str) -> None:
        """End a run with an MLflow status: "FINISHED", "FAILED" or "KILLED"."""
        self._client.set_terminated(run_id, status)

    def end_early(self, card: Card, status: str, report: str | None = None) -> None:
        """Record that a run is "FAILED" or "KILLED", a report of it as artifact ``failure.txt``."""
        run_id = self.open_run(card)
        self.finish(run_id, status)
        if report is not None:
            self._client.log_text(run_id, without_passwords(report), "failure.txt")

    def log_file(self, run_id: str, path: Path, folder: str | None = None) -> None:
        """Add a file to a run's artifacts, to one of their folders if given."""
        self._client.log_artifact(run_id, str(path), folder)

    def close_dead(self) -> int:
        """Give runs that a killed process of this machine left RUNNING the status KILLED."""
        running = self._client.search_runs(
            [self._experiment_id()], "attributes.status = 'RUNNING'", max_results=10_000
        )
        dead = [run for run in running if not is_alive(run.data.tags)]
        for run in dead:
            self._client.set_terminated(run.info.run_id, "KILLED")
        return len(dead)

    def known_keys(self) -> dict[str, str]:
        """Return the status of each run key that the store knows."""
        found: dict[str, str] = {}
        token = None
        while True:
            page = self._client.search_runs(
                [self._experiment_id()], "tags.run_key != ''", max_results=1000, page_token=token
            )
            found |= {run.data.tags["run_key"]: run.info.status for run in page}
            if not (token := page.token):
                return found

    def vouched(self, run_id: str) -> tuple[str, str] | None:
        """Return run key and weights digest of a published run, None where it isn't one."""
        try:
            tags = self._client.get_run(run_id).data.tags
        except MlflowException:
            return None
        if "run_key" not in tags or _PUBLISHED not in tags:
            return None
        return tags["run_key"], tags[_PUBLISHED].partition(":")[0]

    def find_parent(self, study: str, dataset: str) -> str | None:
        """Return the id of a study's parent run, None where there is none."""
        found = self._search({"study": study, "dataset": dataset, "level": "parent"})
        return str(found[0].info.run_id) if found else None

    def _lock(self) -> FileLock:
        return FileLock(paths.home() / ".tracking.lock")

    def _artifact_location(self) -> str | None:
        """Return where artifacts go: a server decides itself, a database gets a folder at home."""
        if self.uri.startswith(("http:", "https:")):
            return None
        return (paths.home() / "mlartifacts").as_uri()

    def _experiment_id(self) -> str:
        found = self._client.get_experiment_by_name(self._experiment)
        assert found is not None, "prepare() makes the experiment"
        return str(found.experiment_id)

    def _search(self, tags: dict[str, str]) -> list[MlflowRun]:
        filters = " and ".join(f"tags.{name} = '{value}'" for name, value in tags.items())
        order = ["attributes.start_time ASC"]
        return list(self._client.search_runs([self._experiment_id()], filters, order_by=order))

    def _start(self, run_id: str, tags: dict[str, str]) -> None:
        self._client.update_run(run_id, status=RunStatus.to_string(RunStatus.RUNNING))
        self._set_tags(run_id, tags | this_process())

    def _the_only(self, key: str) -> str:
        """Return the oldest run with this key and remove others, made on another machine at once.

        A lock keeps processes of this machine apart; a server has none to offer.
        """
        found = self._search({"run_key": key})
        found.sort(key=lambda run: (run.info.start_time, run.info.run_id))
        for other in found[1:]:
            self._client.delete_run(other.info.run_id)
        return str(found[0].info.run_id)

    def _set_tags(self, run_id: str, tags: dict[str, str]) -> None:
        if tags:
            entities = [RunTag(name, value) for name, value in tags.items()]
            self._client.log_batch(run_id, tags=entities)

    def _parent_tag(self, known: MlflowRun, card: Card) -> dict[str, str]:
        """Return the parent to move a run to, if any: a study takes it from an ad-hoc launch."""
        if card.launch is None:
            return {}
        now = known.data.tags.get(_PARENT)
        if now == card.launch.parent:
            return {}
        if now is None or (card.study and not self._is_study(now)):
            return {_PARENT: card.launch.parent} | _tags(card)
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
        self, run_id: str, card: Card, run: Run, evaluation: Evaluation | None
    ) -> None:
        epochs = run.recipe["epochs"]
        figures = {"parameters": float(run.parameters)}
        if (seconds := run.seconds()) is not None:
            figures["seconds"] = seconds
        if evaluation:
            figures |= {"test_error": evaluation.test_error, "test_loss": evaluation.test_loss}
            for label, error in enumerate(evaluation.error_per_class):
                figures[f"test_error_of_{label}"] = error
        self._client.log_batch(run_id, metrics=_metrics(figures, epochs))
        with self._lock():  # two that log the same new dataset at once break its uniqueness
            self._client.log_inputs(run_id, [_dataset_input(card.recipe["dataset"], run)])
        with TemporaryDirectory() as temporary:
            folder = Path(temporary)
            _write_artifacts(folder, card, run, evaluation)
            self._client.log_artifacts(run_id, str(folder))


def _write_artifacts(folder: Path, card: Card, run: Run, evaluation: Evaluation | None) -> None:
    """Write what the UI shows of a run besides its figures."""
    from sidebyside.report.pictures import draw_confusion, draw_history

    name, epochs = _run_name(card).replace(",", ", "), run.recipe["epochs"]
    (folder / "config.yaml").write_text(yaml.safe_dump(run.recipe, sort_keys=False))
    (folder / "model_summary.txt").write_text((run.folder / "summary.txt").read_text())
    lines = [
        epoch_line(
            epoch, epochs, {figure: values[epoch - 1] for figure, values in run.history.items()}
        )
        for epoch in range(1, epochs + 1)
    ]
    (folder / "epochs.log").write_text("\n".join(lines) + "\n")
    draw_history(run.history, name, folder / "learning_curves.png")
    if evaluation:
        title = f"{name}: {evaluation.test_error:.2f} % test error"
        draw_confusion(evaluation.confusion, title, folder / "confusion_matrix.png")


def epoch_line(epoch: int, epochs: int, figures: Mapping[str, float]) -> str:
    """Return a log line for the figures after ``epoch``, from 1."""
    shown = ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
    return f"epoch {epoch}/{epochs}: {shown}"


def _tags(card: Card) -> dict[str, str]:
    tags = {
        "run_key": card.key,
        "seed": str(card.recipe["seed"]),
        "protocol": card.recipe["protocol"],
        "dataset": card.recipe["dataset"],
    }
    if card.study:
        tags["study"] = card.study
    if card.launch:
        tags["variant"] = card.launch.variant
        tags |= {f"factor.{name}": _text(level) for name, level in card.launch.factors.items()}
    return tags


def _params(card: Card) -> dict[str, str]:
    """Return what a person wants as columns."""
    recipe = card.recipe
    model, optimizer = recipe["model"], recipe["optimizer"]
    params = {
        "dataset": recipe["dataset"],
        "model": model["name"],
        "kernel_size": model["kernel_size"],
        "dropout": model["dropout"],
        "optimizer": optimizer["name"],
        "learning_rate": optimizer["learning_rate"],
    }
    same_name = ("data_format", "seed", "protocol", "epochs", "batch_size", "threads")
    params |= {name: recipe[name] for name in same_name}
    factors = card.launch.factors if card.launch else {}
    return {name: _text(value) for name, value in (factors | params).items() if value is not None}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _run_name(card: Card) -> str:
    name = (
        card.launch.variant
        if card.launch and card.launch.variant
        else (card.recipe["model"]["name"])
    )
    return f"{name} seed={card.recipe['seed']}"


def _metrics(figures: dict[str, float], step: int) -> list[Metric]:
    now = time.time_ns() // 1_000_000  # MLflow counts milliseconds
    return [Metric(name, value, now, step) for name, value in figures.items()]


def _dataset_input(dataset: str, run: Run) -> DatasetInput:
    description = Dataset(
        name=dataset,
        digest=run.identity["arrays"][:_DIGEST_LENGTH],
        source_type="code",
        source=json.dumps({"tags": {"config": f"conf/dataset/{dataset}.yaml"}}),
        profile=json.dumps({"data_format": run.recipe["data_format"]}),
    )
    return DatasetInput(description, [InputTag("mlflow.data.context", "training")])


def _covers(published: str | None, state: str) -> bool:
    """Whether what MLflow has is the stored state, or the same run with its evaluation."""
    if published is None:
        return False
    weights, _, evaluated = state.partition(":")
    return published == state or (
        evaluated == "not evaluated" and published.startswith(f"{weights}:")
    )


def _check_reachable(uri: str) -> None:
    """Raise whatever a server or database answers instead of a connection, without retrying."""
    if uri.startswith(("http:", "https:")):
        requests.get(f"{uri.rstrip('/')}/health", timeout=_ANSWER_WITHIN).raise_for_status()
        return
    engine = create_engine(uri)
    with engine.connect():
        pass
    engine.dispose()


def _reason(error: Exception) -> str:
    name = type(error).__name__
    # What requests says is long and names nothing that the URI doesn't.
    return name if isinstance(error, requests.RequestException) else f"{name}: {_first_line(error)}"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else "no reason given"
