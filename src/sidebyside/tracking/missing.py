"""What MLflow lacks of a stored run."""

import hashlib
import json
import time
from collections.abc import Container, Mapping
from functools import cache

from mlflow.entities import Metric
from mlflow.entities import Run as MlflowRun

from sidebyside.files import source_digests
from sidebyside.storage.store import Run

NOT_EVALUATED = "not evaluated"
_DECIDING = "tracking/published"


def at_step(run: MlflowRun, figures: Mapping[str, float], step: int) -> list[Metric]:
    """Return figures of a step as metrics.

    MLflow keeps a value once for a step and a time. The time is made of the run's own, so that it
    is the same whoever logs the step, and logging it twice does no harm.
    """
    at = run.info.start_time + step  # in MLflow's milliseconds
    return [Metric(name, value, at, step) for name, value in figures.items()]


def missing_params(known: MlflowRun, params: Mapping[str, str]) -> dict[str, str]:
    """Return those of the params that MLflow doesn't have."""
    return {name: value for name, value in params.items() if name not in known.data.params}


def changed_params(known: MlflowRun, params: Mapping[str, str]) -> dict[str, str]:
    """Return those of the params that MLflow has another value of, which it never changes."""
    there = known.data.params
    return {name: value for name, value in params.items() if there.get(name, value) != value}


def missing_epochs(known: MlflowRun, run: Run, epochs: Container[int]) -> list[Metric]:
    """Return the figures of a run's epochs but those that MLflow has."""
    return [
        metric
        for epoch in range(1, len(run.history["loss"]) + 1)
        if epoch not in epochs
        for metric in at_step(known, {k: v[epoch - 1] for k, v in run.history.items()}, epoch)
    ]


def changed_metrics(known: MlflowRun, figures: Mapping[str, float]) -> list[Metric]:
    """Return the figures, which belong to no epoch, that MLflow lacks or has another value of.

    They are at step 0, of which the UI draws a bar and no line.
    """
    new = {name: value for name, value in figures.items() if name not in known.data.metrics}
    changed = {
        name: value
        for name, value in figures.items()
        if name not in new and known.data.metrics[name] != value
    }
    now = time.time_ns() // 1_000_000
    # MLflow shows the value of the last step, and of that the latest.
    steps = {metric.key: metric.step for metric in known.data._metric_objs}
    later = [Metric(name, value, now, steps[name]) for name, value in changed.items()]
    return at_step(known, new, 0) + later


@cache
def schema() -> str:
    """Return a digest of the code that decides what is published of a run."""
    return hashlib.sha256(json.dumps(source_digests(_DECIDING)).encode()).hexdigest()[:12]


def covers(published: str | None, state: str) -> bool:
    """Whether what MLflow has is the stored state, or the same run with its evaluation."""
    if published is None:
        return False
    before, _, evaluated = state.rpartition(":")
    return published == state or (evaluated == NOT_EVALUATED and published.startswith(f"{before}:"))
