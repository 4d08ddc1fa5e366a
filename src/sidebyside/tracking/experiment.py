"""The experiment of a config in MLflow: connected, prepared, searched."""

import logging
from collections.abc import Collection
from functools import cached_property

import mlflow
from filelock import FileLock
from mlflow.entities import Run as MlflowRun
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from sidebyside import paths
from sidebyside.config.schema import Tracking
from sidebyside.errors import UserError
from sidebyside.redaction import without_passwords
from sidebyside.tracking.liveness import is_alive, is_elsewhere
from sidebyside.tracking.reachable import check_reachable, reason_of

PUBLISHED = "published"  # a tag: weights, schema of what is published, evaluation
logging.getLogger("mlflow").setLevel(logging.WARNING)  # it reports every step of a migration
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # it raises what it reports


class Experiment:
    """The experiment of a config in its tracking store.

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
            check_reachable(self.uri)
            with self._lock():
                if self._client.get_experiment_by_name(self._experiment) is None:
                    self._client.create_experiment(self._experiment, self._artifact_location())
        except (MlflowException, SQLAlchemyError, ImportError, OSError) as error:
            raise UserError(
                without_passwords(
                    f"The tracking store {self.uri} can't be reached or used "
                    f"({reason_of(error)}). Start it, give access to it, or set tracking.uri or "
                    "MLFLOW_TRACKING_URI to another one."
                )
            ) from None

    def close_dead(self, stopped: Collection[str] = ()) -> int:
        """Give runs that a killed process left RUNNING the status KILLED.

        Those of this machine's processes, and by the run keys in ``stopped`` those of other
        machines, which can't be asked: whoever calls this has ended their workers.
        """
        running = self._client.search_runs(
            [self._experiment_id()], "attributes.status = 'RUNNING'", max_results=10_000
        )
        dead = [
            run
            for run in running
            if not is_alive(run.data.tags)
            or (run.data.tags.get("run_key") in stopped and is_elsewhere(run.data.tags))
        ]
        for run in dead:
            self._client.set_terminated(run.info.run_id, "KILLED")
        return len(dead)

    def known_keys(self) -> dict[str, str]:
        """Return the status of each run key that the store knows."""
        statuses: dict[str, str] = {}
        token = None
        while True:
            page = self._client.search_runs(
                [self._experiment_id()], "tags.run_key != ''", max_results=1000, page_token=token
            )
            statuses |= {run.data.tags["run_key"]: run.info.status for run in page}
            if not (token := page.token):
                return statuses

    def vouched(self, run_id: str) -> tuple[str, str] | None:
        """Return run key and weights digest of a published run, None where it isn't one."""
        try:
            tags = self._client.get_run(run_id).data.tags
        except MlflowException:
            return None
        if "run_key" not in tags or PUBLISHED not in tags:
            return None
        return tags["run_key"], tags[PUBLISHED].partition(":")[0]

    def find_parent(self, study: str, dataset: str) -> str | None:
        """Return the id of a study's parent run, None where there is none."""
        parents = self._search({"study": study, "dataset": dataset, "level": "parent"})
        return str(parents[0].info.run_id) if parents else None

    def _lock(self) -> FileLock:
        return FileLock(paths.home() / ".tracking.lock")

    def _artifact_location(self) -> str | None:
        """Return where artifacts go: a server decides itself, a database gets a folder at home."""
        if self.uri.startswith(("http:", "https:")):
            return None
        return (paths.home() / "mlartifacts").as_uri()

    def _experiment_id(self) -> str:
        experiment = self._client.get_experiment_by_name(self._experiment)
        assert experiment is not None, "prepare() makes the experiment"
        return str(experiment.experiment_id)

    def _search(self, tags: dict[str, str]) -> list[MlflowRun]:
        filters = " and ".join(f"tags.{name} = '{value}'" for name, value in tags.items())
        order = ["attributes.start_time ASC"]
        return list(self._client.search_runs([self._experiment_id()], filters, order_by=order))
