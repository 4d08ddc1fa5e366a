"""What variants are compared by: the built-in metrics, and what is known of one's own."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, TypeAdapter
from pydantic.dataclasses import dataclass as checked
from pydantic_core import PydanticCustomError

from sidebyside.engine.blocks import CLOSED, Name

_OWN = "test_"  # begins the names of metrics of one's own in files, so that they clash with none
_TOP_K = re.compile(r"top([2-9]|[1-9]\d+)_error")


@dataclass(frozen=True)
class Metric:
    """What a study's runs are judged by on the test images.

    Attributes
    ----------
    name : str
        What its figures are called in ``comparison.json``.
    label : str
        In words, e.g. "log loss".
    unit, unit_apart : str
        Of a value, and of the difference of two, e.g. "%" and "points"; empty where there is none.
    digits : int
        Decimals in text.
    low, high : float or None
        What no value lies beyond; None where nothing is known.
    higher_is_better : bool
    by_image : bool
        Whether a run's value is the mean of a score per image. Of one that isn't, nothing can be
        said about new images.
    target : str or None
        The import path of a function of one's own.
    """

    name: str
    label: str
    unit: str = ""
    unit_apart: str = ""
    digits: int = 4
    low: float | None = 0.0
    high: float | None = None
    higher_is_better: bool = False
    by_image: bool = True
    target: str | None = None

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest value that there may be."""
        low = -math.inf if self.low is None else self.low
        return low, math.inf if self.high is None else self.high

    @property
    def top(self) -> int | None:
        """How many classes with the highest probabilities count as right, None for others."""
        found = _TOP_K.fullmatch(self.name)
        return int(found[1]) if found else None

    @property
    def chosen(self) -> str:
        """How a study names the metric; one of one's own by its function too."""
        if self.target is not None:
            return f"{{name: {self.name.removeprefix(_OWN)}, _target_: {self.target}}}"
        return "error" if self.name == "test_error" else self.name

    @property
    def override(self) -> str:
        """What ``study.metric`` is set to on the command line."""
        if self.target is None:
            return self.chosen
        better = "higher" if self.higher_is_better else "lower"
        unit = self.unit if self.unit.isidentifier() else f"'{self.unit}'"
        return (
            f"{{name:{self.name.removeprefix(_OWN)},_target_:{self.target},unit:{unit},"
            f"better:{better},digits:{self.digits}}}"
        )

    def rank(self, value: float) -> float:
        """Return what is the lower the better."""
        return -value if self.higher_is_better else value

    def worsens(self, difference: float) -> bool:
        """Whether a difference is one for the worse."""
        return self.rank(difference) > 0

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return asdict(self)


def read_metric(content: Mapping[str, Any]) -> Metric:
    """Return what `Metric.as_json` returned.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    if set(content) != {field.name for field in fields(Metric)}:
        raise ValueError("no metric that this version knows")
    return Metric(**content)


def _percent(name: str, label: str, **more: Any) -> Metric:
    return Metric(name, label, "%", "points", digits=2, high=100.0, **more)


ERROR = _percent("test_error", "error")
LOG_LOSS = Metric("log_loss", "log loss", "nats", "nats")
BRIER = Metric("brier", "Brier score", high=2.0)
BALANCED_ERROR = _percent("balanced_error", "balanced error")
CALIBRATION_ERROR = _percent("calibration_error", "expected calibration error", by_image=False)
_BUILT_IN = {
    "error": ERROR,
    **{own.name: own for own in (LOG_LOSS, BRIER, BALANCED_ERROR, CALIBRATION_ERROR)},
}


def top_k_error(k: int) -> Metric:
    """Return the error of a network that may name k classes."""
    return _percent(f"top{k}_error", f"top-{k} error")


@checked(frozen=True, config=CLOSED)
class OwnMetric:
    """A function of one's own from probabilities and targets to a score per image.

    In a config it is ``{name: .., _target_: module.function}`` with ``unit``, ``better`` and the
    ``digits`` that text shows.
    """

    name: Name
    target: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$")]
    unit: str = ""
    better: Literal["lower", "higher"] = "lower"
    digits: Annotated[int, Field(ge=0, le=9)] = 4


def metric_of(chosen: str | OwnMetric) -> Metric:
    """Return the metric that a study names.

    Raises
    ------
    KeyError
        If there is none of that name.
    """
    if isinstance(chosen, OwnMetric):
        return Metric(
            name=f"{_OWN}{chosen.name}",
            label=chosen.name.replace("_", " "),
            unit=chosen.unit,
            unit_apart="points" if chosen.unit == "%" else chosen.unit,
            digits=chosen.digits,
            low=None,
            higher_is_better=chosen.better == "higher",
            target=chosen.target,
        )
    if found := _TOP_K.fullmatch(chosen):
        return top_k_error(int(found[1]))
    return _BUILT_IN[chosen]


def metric_of_rule(rule: Mapping[str, Any]) -> Metric:
    """Return the metric that a rule for adding seeds goes by: the error, where it names none."""
    return read_metric(rule["metric"]) if "metric" in rule else ERROR


def _known(chosen: str) -> str:
    if chosen not in _BUILT_IN and not _TOP_K.fullmatch(chosen):
        names = ", ".join([*_BUILT_IN, "top5_error (or any other number from 2 on)"])
        raise PydanticCustomError(
            "metric",
            "should be one of {names}, or a function of your own: "
            "{name: .., _target_: module.function}",
            {"names": names},
        )
    return chosen


def _gathered(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    if "_target_" not in value:
        raise PydanticCustomError("metric", "should have a _target_: module.function")
    rest = {key: own for key, own in value.items() if key != "_target_"}
    return rest | {"target": value["_target_"]}


def _not_taken(own: OwnMetric) -> OwnMetric:
    if own.name in (*_BUILT_IN, "loss") or _TOP_K.fullmatch(own.name):
        raise PydanticCustomError("metric", "should have another name, which isn't taken yet")
    return own


AnyMetric = Annotated[
    Annotated[str, AfterValidator(_known), Tag("plain")]
    | Annotated[OwnMetric, BeforeValidator(_gathered), AfterValidator(_not_taken), Tag("called")],
    Discriminator(lambda value: "plain" if isinstance(value, str) else "called"),
]


def metric_from(chosen: Any) -> Metric:
    """Return the metric that a study's file names, as JSON types.

    Raises
    ------
    pydantic.ValidationError
        If it names none.
    """
    checked_choice: str | OwnMetric = TypeAdapter(AnyMetric).validate_json(json.dumps(chosen))
    return metric_of(checked_choice)
