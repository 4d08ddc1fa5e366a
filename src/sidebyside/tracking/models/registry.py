"""Models in an experiment, and the registered one of a study with its champion."""

import json
from dataclasses import dataclass
from pathlib import Path

from mlflow.entities import LoggedModel, LoggedModelOutput, Metric
from mlflow.entities import Run as MlflowRun
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

from sidebyside.storage.store import Run
from sidebyside.tracking.experiment import EXISTS, Experiment
from sidebyside.tracking.published.contents import dataset_input

CHAMPION = "champion"
VALIDATION_ERROR = "validation_error"  # percent, as a tag
_LINKED = ("test_error", "test_loss")
_NOT_IN_NAMES = str.maketrans(dict.fromkeys("/:.%\"'", "_"))  # characters that MLflow refuses


@dataclass(frozen=True)
class Candidate:
    """The run of a variant with the lowest validation error, percent."""

    run: Run
    variant: str
    validation_error: float

    @property
    def tags(self) -> dict[str, str]:
        """What its model is found and judged by."""
        return {
            "run_key": self.run.key,
            "weights_digest": self.run.weights_digest,
            "variant": self.variant,
            "dataset": self.run.recipe.dataset,
            "protocol": self.run.recipe.protocol,
            VALIDATION_ERROR: f"{self.validation_error:.6g}",
        }


class Models(Experiment):
    """Writes models to an experiment and to the registry of its store."""

    def logged(self, study: str, dataset: str) -> dict[tuple[str, str], LoggedModel]:
        """Return the whole models of a study, by run key and weights digest."""
        found: dict[tuple[str, str], LoggedModel] = {}
        filters = f"tags.study = '{study}' AND tags.dataset = '{dataset}'"
        search = self._client.search_logged_models
        for model in self._paged(search, [self._experiment_id], filters):
            if str(model.status) == "READY":
                found.setdefault((model.tags["run_key"], model.tags["weights_digest"]), model)
        return found

    def run_of(self, key: str) -> MlflowRun | None:
        """Return MLflow's run of a run key."""
        return next(iter(self._search({"run_key": key})), None)

    def log(self, candidate: Candidate, study: str, known: MlflowRun, folder: Path) -> LoggedModel:
        """Add a model, whose files are in a folder, to the run that trained it."""
        ask, run_id = self._patience.ask, str(known.info.run_id)
        model = ask(
            self._client.create_logged_model,
            self._experiment_id,
            str(known.info.run_name).translate(_NOT_IN_NAMES),
            run_id,
            candidate.tags | {"study": study},
            dict(known.data.params),
        )
        ask(self._client.log_model_artifacts, model.model_id, str(folder))
        ask(self._client.log_outputs, run_id, [LoggedModelOutput(model.model_id, 0)])
        ask(self._client.log_batch, run_id, _linked(candidate.run, known, model.model_id))
        return ask(self._client.finalize_logged_model, model.model_id, "READY")

    def register(self, name: str, model: LoggedModel) -> ModelVersion:
        """Return the version of a registered model that a logged one is, making it if needed."""
        ask = self._patience.ask
        try:
            ask(self._client.create_registered_model, name)
        except MlflowException as error:
            if error.error_code != EXISTS:
                raise
        for version in ask(self._client.search_model_versions, f"name = '{name}'"):
            if version.source == model.artifact_location:
                return version
        made = ask(
            self._client.create_model_version,
            name,
            model.artifact_location,  # models:/... is looked for in the default store
            model.source_run_id,
            dict(model.tags),
            model_id=model.model_id,
        )
        # By which the UI leads from a model to its version.
        versions = {MLFLOW_MODEL_VERSIONS: json.dumps([{"name": name, "version": made.version}])}
        ask(self._client.set_logged_model_tags, model.model_id, versions)
        return made

    def champion(self, name: str) -> ModelVersion | None:
        """Return the version of a registered model that is its champion, None where none is.

        By the model's aliases: a store that fails mustn't be taken for one without a champion.
        """
        aliases = self._patience.ask(self._client.get_registered_model, name).aliases
        if CHAMPION not in aliases:
            return None
        return self._patience.ask(self._client.get_model_version, name, aliases[CHAMPION])

    def crown(self, name: str, version: ModelVersion) -> None:
        """Make a version the champion of a registered model."""
        ask, client = self._patience.ask, self._client
        ask(client.set_registered_model_alias, name, CHAMPION, version.version)


def _linked(run: Run, known: MlflowRun, model_id: str) -> list[Metric]:
    """Return what the run says of the test images, as said of a model and of a dataset.

    With the steps and times that the run has them at, of which MLflow keeps one.
    """
    dataset = dataset_input(run.identity).dataset
    return [
        Metric(
            metric.key,
            metric.value,
            metric.timestamp,
            metric.step,
            model_id=model_id,
            dataset_name=dataset.name,
            dataset_digest=dataset.digest,
            run_id=known.info.run_id,
        )
        for metric in known.data._metric_objs
        if metric.key in _LINKED
    ]
