"""The experiment of a config in MLflow: connected, prepared, searched."""

import logging
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cached_property
from typing import TypeVar

import mlflow
from filelock import FileLock
from mlflow.entities import Experiment as MlflowExperiment
from mlflow.entities import Run as MlflowRun
from mlflow.exceptions import MlflowException
from mlflow.store.entities import PagedList
from sqlalchemy.exc import SQLAlchemyError

from sidebyside import paths
from sidebyside.config.schema import Tracking
from sidebyside.errors import UserError
from sidebyside.redaction import without_passwords
from sidebyside.tracking.liveness import here, is_alive, is_elsewhere, process_of
from sidebyside.tracking.moved import follow_the_project
from sidebyside.tracking.reachable import (
    check_reachable,
    login_refused,
    login_sentence,
    reason_of,
    speaks_http,
)
from sidebyside.tracking.shown.views import ABOUT, View, key_for, keys_of
from sidebyside.tracking.waiting import Patience

T = TypeVar("T")

_PAGE = 1000  # runs in one answer
EXISTS = "RESOURCE_ALREADY_EXISTS"
PUBLISHED = "mlflow.published"  # a tag: weights, schema of what is published, evaluation
logging.getLogger("mlflow").setLevel(logging.WARNING)  # it reports every step of a migration
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # it raises what it reports


class Experiment:
    """The experiment of a config in its tracking store.

    Parameters
    ----------
    tracking : Tracking
        ``uri`` None is ``mlflow.db`` at home.

    Attributes
    ----------
    uri : str
        Where the store is.
    labels : dict
        What levels are called in short names.
    """

    def __init__(self, tracking: Tracking) -> None:
        self.uri = tracking.uri or f"sqlite:///{paths.tracking_database()}"
        self.labels = tracking.labels
        self._experiment = tracking.experiment
        self._patience = Patience(self.uri, tracking.wait)

    @cached_property
    def _client(self) -> mlflow.MlflowClient:
        return mlflow.MlflowClient(tracking_uri=self.uri)  # connects, and tries for two minutes

    def prepare(self) -> None:
        """Check that the store answers, create the database and the experiment.

        To be called in one process before others log: several that meet a fresh SQLite file break
        in its migrations. A store that is away isn't waited for here: its address may be a mistake.

        Raises
        ------
        UserError
            If the store can't be reached or written.
        """
        try:
            check_reachable(self.uri)
            with self._lock():
                self._make_experiment()
        except (MlflowException, SQLAlchemyError, ImportError, OSError, ValueError) as error:
            if login_refused(error):
                raise UserError(without_passwords(login_sentence(self.uri, error))) from None
            raise UserError(
                without_passwords(
                    f"The tracking store {self.uri} can't be reached or used "
                    f"({reason_of(error)}). Start it, give access to it, or set tracking.uri or "
                    "MLFLOW_TRACKING_URI to another one."
                )
            ) from None

    def hurry(self) -> None:
        """Wait no more for a store that is away, as after Ctrl-C."""
        self._patience.hurry()

    def close_dead(self, stopped: Collection[str] = ()) -> int:
        """Give runs that a killed process left RUNNING the status KILLED.

        Those of this machine's processes, and by the run keys in ``stopped`` those of other
        machines, which can't be asked: whoever calls this has ended their workers.
        """
        whose = "" if stopped else f" and {here()}"
        dead = [
            run
            for run in self._pages(f"attributes.status = 'RUNNING'{whose}")
            if not is_alive(process := process_of(run.data.tags))
            or (run.data.tags.get("run_key") in stopped and is_elsewhere(process))
        ]
        for run in dead:
            self._patience.ask(self._client.set_terminated, run.info.run_id, "KILLED")
        return len(dead)

    def vouched(self, run_id: str) -> tuple[str, str] | None:
        """Return run key and weights digest of a published run, None where it isn't one."""
        try:
            tags = self._patience.ask(self._client.get_run, run_id).data.tags
        except MlflowException:
            return None
        published = tags.get(PUBLISHED) or tags.get("published")  # as it was called once
        if "run_key" not in tags or published is None:
            return None
        return tags["run_key"], published.partition(":")[0]

    def show(self, views: Iterable[View]) -> None:
        """Let the UI offer views of the experiment."""
        ask, known = self._patience.ask, self.experiment.tags
        for view in views:
            if not view.is_in(known):
                ask(self._client.set_experiment_tag, self._experiment_id, view.tag, view.value())

    def last_shown(self) -> str | None:
        """Return the key of the view of what was trained or published last, None for nothing."""
        views = keys_of(self.experiment.tags)
        parents = sorted(self._pages("tags.level = 'parent'"), key=_last_seen, reverse=True)
        return next((key for run in parents if (key := key_for(run.data.tags)) in views), None)

    def find_parent(self, study: str, dataset: str) -> str | None:
        """Return the id of a study's parent run, None where there is none."""
        parents = self._search({"study": study, "dataset": dataset, "level": "parent"})
        return str(parents[0].info.run_id) if parents else None

    def _lock(self) -> FileLock:
        return FileLock(paths.home() / ".tracking.lock")

    def _make_experiment(self) -> None:
        database = paths.home() / "mlflow.db"
        if database.is_file() and self.uri == f"sqlite:///{database}":
            follow_the_project(database)
        known = self._client.get_experiment_by_name(self._experiment)
        if known is not None and known.lifecycle_stage != "active":
            raise UserError(
                f"Experiment {self._experiment} was deleted in {without_passwords(self.uri)}: "
                "bring it back with `mlflow experiments restore --experiment-id "
                f"{known.experiment_id}`, or set tracking.experiment to another name."
            )
        if known is not None:
            for name, value in ABOUT.items():
                if known.tags.get(name) != value:
                    self._client.set_experiment_tag(known.experiment_id, name, value)
            return
        try:
            self._client.create_experiment(self._experiment, self._artifact_location(), ABOUT)
        except MlflowException as error:
            if error.error_code != EXISTS:  # made by another machine in this moment
                raise

    def _artifact_location(self) -> str | None:
        """Return where artifacts go: a server decides itself, a database gets a folder at home."""
        return None if speaks_http(self.uri) else (paths.home() / "mlartifacts").as_uri()

    @cached_property
    def experiment(self) -> MlflowExperiment:
        """The experiment as MLflow knows it."""
        experiment = self._patience.ask(self._client.get_experiment_by_name, self._experiment)
        assert experiment is not None, "prepare() makes the experiment"
        return experiment

    @property
    def _experiment_id(self) -> str:
        return str(self.experiment.experiment_id)

    def _search(self, tags: dict[str, str]) -> list[MlflowRun]:
        """Return the runs with these tags, the oldest first, alike for all who ask."""
        filters = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
        found = list(self._pages(filters))
        return sorted(found, key=lambda run: (run.info.start_time, run.info.run_id))

    def _pages(self, filters: str) -> Iterator[MlflowRun]:
        return self._paged(
            self._client.search_runs, [self._experiment_id], filters, max_results=_PAGE
        )

    def _paged(
        self, search: Callable[..., PagedList[T]], *what: object, **more: object
    ) -> Iterator[T]:
        """Yield what a search of MLflow's finds, page by page."""
        token = None
        while True:
            page = self._patience.ask(search, *what, page_token=token, **more)
            yield from page
            if not (token := page.token):
                return


def _last_seen(run: MlflowRun) -> int:
    """Return when a run ended, in milliseconds; one that goes on comes after all others."""
    return int(run.info.end_time or sys.maxsize)
