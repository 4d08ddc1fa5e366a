"""Views of an experiment that MLflow's UI offers: what is shown, by what it is sorted.

Made for MLflow 3.17, whose UI keeps a shared view as a tag of the experiment: a name and the state
of the page of runs, as JSON. A version that knows no such view shows all runs and its own columns.
"""

import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sidebyside.config.metrics import ERROR, Metric

_TAG = "mlflow.sharedViewState."
_TREE = "attributes.start_time"  # the one order in which the UI nests runs
_RESULTS = ("test_error", "test_loss")
_INTERVAL = ("interval_low", "interval_high")
# What the UI calls columns that it always shows, and how wide they are, in pixels.
_NAME, _CREATED = "attributes.`Run Name`", "runDateAndNestInfo"
_WIDTHS = {_NAME: 250, _CREATED: 130, "metrics.`rank`": 65, "metrics.`n`": 50}
_NARROW = 100
_PROTOCOL = "tags.`protocol`"
_SWEPT = ("model", "kernel_size", "dropout", "optimizer", "data_format", "seed")
_ALL_BUT_SEED = {
    "aggregateFunction": "average",
    "groupByKeys": [{"mode": "tag", "groupByData": "all_but_seed"}],
}

TRAINING = "workflowType=machine_learning"  # the part of the UI that is about training
ABOUT = {
    "mlflow.experimentKind": "custom_model_development",
    "mlflow.note.content": (
        "Networks trained side by side by sidebyside.\n\n"
        "A **study** is one run, which has a run for each of its **variants** (one combination of "
        "levels) under it, and those have a run for each **seed**. A study's description is its "
        "report: open the run and read it. Sorted by `test_error`, the variants of a study are its "
        "table: mean over seeds, interval, rank, and the verdict against the baseline.\n\n"
        "*Saved views*, above the table of runs, hold for each study its variants, its runs, and "
        "both as a tree."
    ),
}


@dataclass(frozen=True)
class View:
    """A view of the runs of an experiment.

    Attributes
    ----------
    key : str
        Names it in a link.
    name : str
        What the UI calls it.
    state : dict
        What the UI's page of runs takes from it.
    """

    key: str
    name: str
    state: dict[str, Any]

    @property
    def tag(self) -> str:
        """The experiment's tag that holds it."""
        return f"{_TAG}{self.key}"

    def value(self) -> str:
        """Return what the tag holds."""
        now = time.time_ns() // 1_000_000  # milliseconds
        return json.dumps(
            {"name": self.name, "createdAt": now, "updatedAt": now, "state": self._text()}
        )

    def is_in(self, tags: Mapping[str, str]) -> bool:
        """Whether an experiment with these tags has it as it is."""
        try:
            known = json.loads(tags[self.tag])
            return (known["name"], known["state"]) == (self.name, self._text())
        except (KeyError, ValueError, TypeError):
            return False

    def _text(self) -> str:
        return json.dumps(self.state)


def study_views(
    study: str, dataset: str, factors: Sequence[str], metric: Metric = ERROR
) -> list[View]:
    """Return the views of a study: the table of its variants, its runs, and all as a tree.

    Parameters
    ----------
    study, dataset : str
    factors : sequence of str
    metric : sidebyside.config.metrics.Metric
        What rank, interval, standard deviation and verdict of the variants are by.
    """
    key, title = key_for({"study": study, "dataset": dataset}), f"{study} on {dataset}"
    of_study = f"tags.study = '{study}' and tags.dataset = '{dataset}'"
    varied = [_param(name) for name in factors]
    results = [_metric(name) for name in _RESULTS]
    judged = [*map(_metric, ("rank", metric.name, *_INTERVAL)), "tags.`verdict`"]
    more = [name for name in ("n", "sd", *_RESULTS) if name != metric.name]
    of_variant = [*judged, *map(_metric, more), *varied, _PROTOCOL]
    best_first = _metric(metric.name)
    of_run = [*results, *varied, _param("seed"), _PROTOCOL]
    runs = _state(f"tags.level = 'run' and {of_study}", of_run) | {"groupBy": _ALL_BUT_SEED}
    return [
        View(
            key,
            title,
            _state(f"tags.level = 'variant' and {of_study}", of_variant, best_first)
            | {"orderByAsc": not metric.higher_is_better},
        ),
        View(f"{key}-runs", f"{title}: runs", runs),
        View(f"{key}-tree", f"{title}: tree", _state(of_study, of_run, _TREE)),
    ]


def sweeps_view(dataset: str) -> View:
    """Return the view of all that was trained on a dataset without a study, and with one."""
    columns = [*map(_metric, _RESULTS), *map(_param, _SWEPT), _PROTOCOL]
    state = _state(f"tags.dataset = '{dataset}'", columns, _TREE)
    return View(key_for({"dataset": dataset}), f"all on {dataset}", state)


def key_for(tags: Mapping[str, str]) -> str:
    """Return the key of the first view of a parent run with these tags."""
    dataset = tags.get("dataset", "")
    return f"{tags['study']}-{dataset}" if "study" in tags else f"all-{dataset}"


def keys_of(tags: Mapping[str, str]) -> Collection[str]:
    """Return the keys of the views that an experiment with these tags has."""
    return {name.removeprefix(_TAG) for name in tags if name.startswith(_TAG)}


def link(address: str, experiment_id: str, key: str | None) -> str:
    """Return the link to a view, or to all runs, in the UI at an address.

    It asks for the part of the UI that is about training: a browser is shown the other one first,
    about language models.
    """
    shared = f"&viewStateShareKey={key}" if key else ""
    return f"{address}/#/experiments/{experiment_id}/runs?{TRAINING}{shared}"


def _param(name: str) -> str:
    return f"params.`{name}`"


def _metric(name: str) -> str:
    return f"metrics.`{name}`"


def _state(runs: str, columns: Sequence[str], order: str = _metric("test_error")) -> dict[str, Any]:
    return {
        "searchFilter": runs,
        "orderByKey": order,
        "orderByAsc": True,
        "selectedColumns": list(columns),
        "columnOrder": [_NAME, *columns, _CREATED],
        "columnWidths": dict.fromkeys(columns, _NARROW) | _WIDTHS,
    }
