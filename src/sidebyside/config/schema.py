"""The schema of a run's config: types and ranges of everything that can be chosen."""

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Annotated, Any, Literal, cast

from pydantic import (
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

from sidebyside.config.datasets import Dataset
from sidebyside.config.metrics import ERROR, AnyMetric, Metric, metric_of
from sidebyside.config.protocols import Protocol
from sidebyside.engine.blocks import CLOSED, AnyModel, Called, Instance, Name, Positive, kind
from sidebyside.engine.recipe import (
    Augmentation,
    DataFormat,
    Keep,
    Optimizer,
    Order,
    Precision,
    Recipe,
    read_recipe,
)
from sidebyside.engine.training.gpus import Device
from sidebyside.engine.training.numerics import NumericClass
from sidebyside.errors import UserError

USUAL_MARGIN = 0.1  # points of test error


@dataclass(frozen=True, config=CLOSED)
class Training:
    """How long and in which portions a network is trained.

    ``numerics`` is the numeric class, see `sidebyside.engine.training.numerics`, and ``device``
    where networks are trained; a run that diverged fails, or counts as it is. With
    ``complete_evidence`` a study trains only what its committed evidence doesn't hold.
    """

    epochs: Positive
    seeds: Positive
    batch_size: Positive
    threads: Positive = 1
    precision: Precision = "float32"
    numerics: Literal["auto", NumericClass] = "auto"
    device: Device = "cpu"
    diverged: Literal["fails", "counts"] = "fails"
    complete_evidence: bool = False
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    class_weight: Literal["balanced"] | None = None
    order: Order = "each_epoch"
    patience: Positive | None = None
    keep: Keep = "last"


@dataclass(frozen=True, config=CLOSED)
class Constant:
    """A learning rate that stays as it is."""

    name: Literal["constant"]


@dataclass(frozen=True, config=CLOSED)
class Tracking:
    """The MLflow store; ``uri`` null is SQLite at home, ``experiment`` what holds all runs there.

    ``wait`` is how many seconds a server that is away in mid-study is waited for. ``labels`` is
    what the levels of a factor are called in the short names of runs, by factor and level.
    ``models`` are the trained networks that are logged there with a study's report: the best one
    of each of its "variants", that of the variant which is its "choice", or "none".
    """

    uri: str | None
    experiment: Annotated[str, Field(min_length=1)]
    wait: Annotated[float, Field(ge=0)] = 300
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    models: Literal["variants", "choice", "none"] = "variants"


@dataclass(frozen=True, config=CLOSED)
class Store:
    """Where machines share runs; ``uri`` null is nowhere.

    ``checkpoint_every`` is how many seconds lie between two checkpoints that are put there.
    """

    uri: Annotated[str, Field(min_length=1)] | None = None
    checkpoint_every: Annotated[float, Field(gt=0)] = 30


@dataclass(frozen=True, config=CLOSED)
class Study:
    """What a study is called and what it asks.

    ``metric`` is what runs are judged by, see docs/metrics.md. ``expected_equal`` are factors that
    should make no difference, and ``margin`` is the largest one that wouldn't matter, in the
    metric's unit, set before the study is run: null is 0.1 points of an error. ``baseline`` is the
    variant that others are held against; null takes the one with the lowest validation error, the
    first of the grid where nothing validates.

    ``until`` is a rule by which seeds are added, up to ``max_seeds``: "decided" until its
    ``question`` is ("variants" against the baseline, without one all against each other;
    "factors"; two variants by name), "narrow" until each variant's 95 % interval is within
    +-``halfwidth`` of the metric's unit.

    ``pairs`` are variants, two by two by name, that a study of many variants is asked about, in
    which not all are held against each other.

    ``seeds`` are "common" to all variants, or "independent": of each variant its own.

    ``other_scores`` tables all metrics beside the one that runs are judged by, without claims;
    null does so where that isn't the error.
    """

    name: Name
    expected_equal: list[str] = field(default_factory=list)
    metric: AnyMetric = "error"
    margin: Annotated[float, Field(gt=0, validate_default=True)] = None  # type: ignore[assignment]
    baseline: str | None = None
    until: Literal["decided", "narrow"] | None = None
    question: str | list[str] = "variants"
    halfwidth: Annotated[float, Field(gt=0)] | None = None
    max_seeds: Positive = 20
    seeds: Literal["common", "independent"] = "common"
    pairs: list[Annotated[list[str], Field(min_length=2, max_length=2)]] = field(
        default_factory=list
    )
    other_scores: bool | None = None

    @field_validator("margin", mode="before")
    @classmethod
    def _usual_margin(cls, value: float | None, others: ValidationInfo) -> float | None:
        """Return the margin of an error where none is set; what another metric's is only you know.

        Nothing is said where the metric itself has been refused.
        """
        if value is not None or "metric" not in others.data:
            return USUAL_MARGIN if value is None else value
        metric = metric_of(others.data["metric"])
        if metric == ERROR:
            return USUAL_MARGIN
        raise PydanticCustomError(
            "margin",
            "should be set{unit} for study.metric={name}, as only an error has a usual one: the "
            "largest difference that doesn't matter",
            {"unit": f" in {metric.unit_apart}" * bool(metric.unit_apart), "name": metric.name},
        )

    @property
    def judged_by(self) -> Metric:
        """The metric that runs are judged by."""
        return metric_of(self.metric)

    @property
    def with_others(self) -> bool:
        """Whether all other metrics are tabled."""
        return self.judged_by != ERROR if self.other_scores is None else self.other_scores

    def stopping(self) -> dict[str, Any] | None:
        """Return the rule by which seeds are added, as JSON types; None where there is none."""
        if self.until is None:
            return None
        rule: dict[str, Any] = {"until": self.until, "max_seeds": self.max_seeds}
        if self.judged_by != ERROR:  # which rules from before there was a choice don't name
            rule["metric"] = self.judged_by.as_json()
        if self.until == "narrow":
            return rule | {"halfwidth": self.halfwidth}
        return rule | {
            "question": self.question,
            "margin": self.margin,
            "baseline": self.baseline,
        }


@dataclass(frozen=True, config=CLOSED)
class Preset:
    """A recipe as a published tutorial gives it, by its name in the published table."""

    name: Name


@dataclass(frozen=True, config=CLOSED)
class Config:
    """Everything that can be chosen for a run.

    A launch that is thought to take more than ``ask_above`` minutes asks before it starts, where
    there is a terminal; null never asks. ``overrides`` are the arguments that it was composed with,
    by `sidebyside.compose`.
    """

    dataset: Dataset
    model: AnyModel
    optimizer: Optimizer
    schedule: Annotated[
        Annotated[Constant, Tag("plain")] | Annotated[Called, Tag("called")], Discriminator(kind)
    ]
    augmentation: Augmentation
    training: Training
    tracking: Tracking
    data_format: DataFormat
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    protocol: Protocol
    evaluate: bool
    allow_partial: bool
    preset: Preset | None
    study: Study | None
    store: Store = Store()
    select: dict[str, str] | None = None
    ask_above: Annotated[float, Field(gt=0)] | None = 60
    overrides: tuple[str, ...] = ()

    def recipe(self) -> Recipe:
        """Return the part of the config that decides a run's result."""
        return Recipe(
            dataset=self.dataset.name,
            model=self.model,
            optimizer=self.optimizer,
            data_format=self.data_format,
            seed=self.seed,
            protocol=self.protocol,
            epochs=self.training.epochs,
            batch_size=self.training.batch_size,
            threads=self.training.threads,
            precision=self.training.precision,
            schedule=self.schedule if isinstance(self.schedule, Instance) else None,
            augmentation=self.augmentation if self.augmentation.layers else None,
            label_smoothing=self.training.label_smoothing,
            ema=self.training.ema,
            class_weight=self.training.class_weight,
            order=self.training.order,
            patience=self.training.patience,
            keep=self.training.keep,
            normalisation=self.dataset.normalisation,
        )

    def with_recipe(self, content: Mapping[str, Any]) -> "Config":
        """Return this config with the recipe that a run's records keep in place of its own.

        Parameters
        ----------
        content : dict
            See `sidebyside.engine.recipe.Recipe.as_json`.

        Raises
        ------
        UserError
            If the recipe is of another dataset, or isn't one that can be trained.
        """
        try:
            recipe = read_recipe(content)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise UserError(
                "The recipe that a run's records keep can't be trained: its "
                f"{'.'.join(str(part) for part in first['loc'])} is {first['input']}. Train the "
                "study again."
            ) from None
        if recipe.dataset != self.dataset.name:
            raise UserError(
                f"These runs are of dataset={recipe.dataset}, not of {self.dataset.name}: name "
                "that with --dataset."
            )
        training = replace(
            self.training,
            epochs=recipe.epochs,
            batch_size=recipe.batch_size,
            threads=recipe.threads,
            precision=recipe.precision,
            label_smoothing=recipe.label_smoothing,
            ema=recipe.ema,
            class_weight=recipe.class_weight,
            order=recipe.order,
            patience=recipe.patience,
            keep=recipe.keep,
        )
        return replace(
            self,
            dataset=replace(self.dataset, normalisation=recipe.normalisation),
            model=recipe.model,
            optimizer=recipe.optimizer,
            schedule=recipe.schedule or Constant("constant"),
            augmentation=recipe.augmentation or Augmentation("none"),
            training=training,
            data_format=recipe.data_format,
            seed=recipe.seed,
            protocol=cast(Protocol, recipe.protocol),
        )
