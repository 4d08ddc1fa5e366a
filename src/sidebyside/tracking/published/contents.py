"""What MLflow is told of a run: tags, params, metrics and its dataset."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag

from sidebyside.config.labels import Labels, short_name, short_run_name
from sidebyside.engine.blocks import Instance, Model
from sidebyside.engine.recipe import Recipe
from sidebyside.storage.evaluations import Evaluation
from sidebyside.storage.results import StudyRun
from sidebyside.storage.store import Run

PARENT = "mlflow.parentRunId"
RUN_NAME = "mlflow.runName"
LAUNCH = "mlflow.launch."  # and the id of a launch: what it did with a run
_DIGEST_LENGTH = 36  # what MLflow accepts for a dataset


@dataclass(frozen=True)
class Card:
    """What MLflow is told about a run besides its results.

    Attributes
    ----------
    run : StudyRun
        Without variant and factors where it was started alone.
    recipe : Recipe
    study : str or None
    parent : str or None
        The id of the MLflow run of its launch or study.
    launch : str or None
        The id of the launch that it belongs to.
    variant : str or None
        The id of the MLflow run of its variant, below its parent, if there is one.
    class_names : sequence of str
        In the order of the labels; empty where classes are numbers.
    """

    run: StudyRun
    recipe: Recipe
    study: str | None = None
    parent: str | None = None
    launch: str | None = None
    variant: str | None = None
    class_names: Sequence[str] = ()

    @property
    def name(self) -> str:
        """What the run is, in full."""
        return f"{self.run.variant or self.recipe.model.name} seed={self.run.seed}"

    @property
    def above(self) -> str | None:
        """The id of the MLflow run right above it."""
        return self.variant or self.parent

    def tags(self, labels: Labels) -> dict[str, str]:
        """Return what runs are found, named and grouped by.

        Parameters
        ----------
        labels : mapping
            What a level is called in a name, by factor and level.
        """
        variant = self.short_variant(labels)
        tags = {
            "level": "run",
            "run_key": self.run.key,
            "seed": str(self.run.seed),
            "full_name": self.name,
            "all_but_seed": variant,
            RUN_NAME: short_run_name(variant, self.run.seed),
        }
        return tags | self._shared_tags()

    def variant_tags(self, labels: Labels) -> dict[str, str]:
        """Return the tags of the MLflow run of its variant."""
        tags = {"level": "variant", "full_name": self.run.variant or self.recipe.model.name}
        if self.parent:
            tags[PARENT] = self.parent
        return tags | {RUN_NAME: self.short_variant(labels)} | self._shared_tags()

    def short_variant(self, labels: Labels) -> str:
        """Return a name of its variant that tells it from others in few letters."""
        return short_name(self.run.factors, labels) or self.recipe.model.name

    def _shared_tags(self) -> dict[str, str]:
        tags = {"protocol": self.recipe.protocol, "dataset": self.recipe.dataset}
        if self.study:
            tags["study"] = self.study
        if self.parent:
            tags["variant"] = self.run.variant
            tags |= {f"factor.{name}": _text(level) for name, level in self.run.factors.items()}
        return tags

    def variant_params(self) -> dict[str, str]:
        """Return the columns that all runs of its variant share."""
        return {name: value for name, value in self.params().items() if name != "seed"}

    def params(self) -> dict[str, str]:
        """Return what a person wants as columns."""
        recipe = self.recipe
        params = {
            "dataset": recipe.dataset,
            "model": recipe.model.name,
            **_of_model(recipe.model),
            "optimizer": recipe.optimizer["name"],
            "learning_rate": recipe.optimizer["learning_rate"],
            "data_format": recipe.data_format,
            "seed": recipe.seed,
            "protocol": recipe.protocol,
            "epochs": recipe.epochs,
            "batch_size": recipe.batch_size,
            "threads": recipe.threads,
            "schedule": recipe.schedule.name if recipe.schedule else None,
            "augmentation": recipe.augmentation.name if recipe.augmentation else None,
        }
        shown = (self.run.factors | params).items()
        return {name: _text(value) for name, value in shown if value is not None}


def _of_model(model: Model | Instance) -> dict[str, Any]:
    if isinstance(model, Instance):
        return model.arguments
    return {"kernel_size": model.kernel_size, "dropout": model.dropout}


def figures(evaluation: Evaluation | None) -> dict[str, float]:
    """Return the metrics of a finished run, besides those of its epochs.

    They are few, as the UI draws a chart of each.
    """
    if evaluation is None:
        return {}
    return {"test_error": evaluation.test_error, "test_loss": evaluation.test_loss}


def measured_tags(run: Run) -> dict[str, str]:
    """Return what of a finished run is measured: it differs when the run is trained anew."""
    seconds = run.seconds()
    return {} if seconds is None else {"seconds": f"{seconds:.1f}"}


def dataset_input(identity: Mapping[str, Any]) -> DatasetInput:
    """Return the dataset that a run with an identity was trained on."""
    name, data_format = identity["recipe"]["dataset"], identity["recipe"]["data_format"]
    description = Dataset(
        name=name,
        digest=identity["arrays"][:_DIGEST_LENGTH],
        source_type="code",
        source=json.dumps({"tags": {"config": f"conf/dataset/{name}.yaml"}}),
        profile=json.dumps({"data_format": data_format}),
    )
    return DatasetInput(description, [InputTag("mlflow.data.context", "training")])


def epoch_line(epoch: int, epochs: int, figures: Mapping[str, float]) -> str:
    """Return a log line for the figures after ``epoch``, from 1."""
    shown = ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
    return f"epoch {epoch}/{epochs}: {shown}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
