"""What MLflow is told of a run: tags, params, metrics and its dataset."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag

from sidebyside.engine.blocks import Instance, Model
from sidebyside.engine.recipe import Recipe
from sidebyside.storage.evaluations import Evaluation
from sidebyside.storage.results import StudyRun
from sidebyside.storage.store import Run

PARENT = "mlflow.parentRunId"
RUN_NAME = "mlflow.runName"
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
        The id of the MLflow run above it.
    launch : str or None
        The id of the launch that it belongs to.
    """

    run: StudyRun
    recipe: Recipe
    study: str | None = None
    parent: str | None = None
    launch: str | None = None

    @property
    def name(self) -> str:
        """What the UI shows."""
        return f"{self.run.variant or self.recipe.model.name} seed={self.run.seed}"

    def tags(self) -> dict[str, str]:
        """Return what runs are found and grouped by."""
        tags = {
            "run_key": self.run.key,
            "seed": str(self.run.seed),
            "protocol": self.recipe.protocol,
            "dataset": self.recipe.dataset,
        }
        if self.study:
            tags["study"] = self.study
        if self.parent:
            tags["variant"] = self.run.variant
            tags |= {f"factor.{name}": _text(level) for name, level in self.run.factors.items()}
        return tags

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


def figures(run: Run, evaluation: Evaluation | None) -> dict[str, float]:
    """Return the metrics of a finished run, besides those of its epochs."""
    metrics = {"parameters": float(run.parameters)}
    if (seconds := run.seconds()) is not None:
        metrics["seconds"] = seconds
    if evaluation:
        metrics |= {"test_error": evaluation.test_error, "test_loss": evaluation.test_loss}
        for label, error in enumerate(evaluation.error_per_class):
            metrics[f"test_error_of_{label}"] = error
    return metrics


def dataset_input(run: Run) -> DatasetInput:
    """Return the dataset that a run was trained on."""
    recipe = run.recipe
    description = Dataset(
        name=recipe.dataset,
        digest=run.identity["arrays"][:_DIGEST_LENGTH],
        source_type="code",
        source=json.dumps({"tags": {"config": f"conf/dataset/{recipe.dataset}.yaml"}}),
        profile=json.dumps({"data_format": recipe.data_format}),
    )
    return DatasetInput(description, [InputTag("mlflow.data.context", "training")])


def epoch_line(epoch: int, epochs: int, figures: Mapping[str, float]) -> str:
    """Return a log line for the figures after ``epoch``, from 1."""
    shown = ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
    return f"epoch {epoch}/{epochs}: {shown}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
