"""A report in MLflow: its study's run, and those of its variants, say what it says."""

import csv
import shutil
import sys
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from sidebyside import paths
from sidebyside.config.factors import level_text
from sidebyside.config.schema import Tracking
from sidebyside.errors import UserError
from sidebyside.files import read_json
from sidebyside.redaction import without_passwords
from sidebyside.report.files import training_seconds
from sidebyside.report.text.note import metric_of, note, variant_rows
from sidebyside.storage.evidence_files import FILE, read_evidence
from sidebyside.storage.results import has_results
from sidebyside.tracking.shown.views import TRAINING, key_for, link, study_views

if TYPE_CHECKING:
    from mlflow.entities import Run as MlflowRun

    from sidebyside.tracking.client import Tracker

_SHOWN = ("*.png", "*.md", "report.html", "pictures/*.svg")


def publish_report(folder: Path, study: str, dataset: str, tracking: Tracking) -> bool:
    """Let a study's MLflow run and its variants' say what a report says; say whether it was done.

    The study's run gets its opening and table as description, its figures and factors, and its
    files under ``report/``. A variant's run gets means, intervals, rank and verdict, and the table
    of variants the columns of what the report is judged by. Networks become models, see
    `publish_models`, where the study's results are here. A report can be made
    where no tracking store is, from committed evidence: that is no mistake, and a store that can't
    be reached doesn't undo a report.
    """
    if not (folder / "comparison.json").is_file():
        return False
    if tracking.uri is None and not (paths.home() / "mlflow.db").is_file():
        return False
    from mlflow.exceptions import MlflowException

    from sidebyside.tracking.client import Tracker
    from sidebyside.tracking.models.publish import publish_models
    from sidebyside.tracking.reachable import reason_of

    tracker = Tracker(tracking)
    try:
        tracker.prepare()
        parent = tracker.find_parent(study, dataset)
        if parent is None:
            return False
        _publish(tracker, parent, folder)
        if has_results(dataset, study):
            publish_models(study, dataset, tracking, _chosen(folder))
    except UserError as error:
        print(f"warning: the report isn't in MLflow. {error}", file=sys.stderr)
        return False
    except MlflowException as error:  # it answers, but not all that is asked
        print(
            "warning: the report, or a model of its study, isn't in MLflow "
            f"({without_passwords(reason_of(error))}): once that is mended, the same command adds "
            "what is missing.",
            file=sys.stderr,
        )
        return False
    return True


def _publish(tracker: "Tracker", parent: str, folder: Path) -> None:
    content, tested = read_json(folder / "comparison.json"), _tested(folder / "runs.csv")
    rows = variant_rows(content)
    known = tracker.variants(parent)
    for row in rows:
        if row["name"] in known:
            figures = tested.get(row["name"], {}) | _of_variant(content, row)
            tracker.complete(known[row["name"]], figures, {}, {"verdict": row["verdict"]})
    first = read_evidence(folder / FILE).runs[0]
    known_parent = tracker.run(parent)
    tracker.log_dataset(known_parent, first.identity)
    factors = {
        name: ", ".join(map(level_text, levels)) for name, levels in content["factors"].items()
    }
    seeds = {"seeds": content["settings"].get("seeds", "")}
    tracker.complete(
        known_parent,
        _of_study(content, rows, folder),
        {"dataset": content["dataset"], "protocol": content["protocol"]},
        # Tags, as MLflow changes no param, and a study may have more seeds or levels tomorrow.
        {"mlflow.note.content": f"{_links(tracker, known_parent)}\n\n{note(content)}"}
        | {f"levels.{name}": levels for name, levels in factors.items()}
        | seeds,
    )
    with TemporaryDirectory() as temporary:
        for path in (path for pattern in _SHOWN for path in folder.glob(pattern)):
            copy = Path(temporary) / path.relative_to(folder)
            copy.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, copy)
        tracker.log_files(parent, Path(temporary), "report")
    names = content["study"], content["dataset"]
    tracker.show(study_views(*names, list(first.factors), metric_of(content)))


def _chosen(folder: Path) -> str | None:
    """Return the variant that a report chose by validation, None where it chose none."""
    selection = read_json(folder / "comparison.json")["selection"]
    return str(selection["chosen"]) if selection else None


def _of_variant(content: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, float]:
    """Return what a report says of a variant: a metric each, but for what it doesn't know."""
    value, name = row[metric_of(content).name], metric_of(content).name
    whole = row["seeds_and_images"] or {}
    figures = {
        "n": row["n"],
        "rank": row["rank"],
        name: value["mean"],
        "sd": value.get("sd"),
        "over_seeds_low": value["low"],
        "over_seeds_high": value["high"],
        "interval_low": whole.get("low"),
        "interval_high": whole.get("high"),
    }
    return {name: float(figure) for name, figure in figures.items() if figure is not None}


def _of_study(
    content: Mapping[str, Any], rows: list[dict[str, Any]], folder: Path
) -> dict[str, float]:
    name = metric_of(content).name
    means = [row[name]["mean"] for row in rows]
    figures = {
        f"best_{name}": means[0],
        "spread": abs(means[-1] - means[0]),
        "variants": len(rows),
        "runs": content["n_runs"],
    }
    if seconds := training_seconds(folder):
        figures["training_seconds"] = round(sum(seconds.values()), 1)
    return {name: float(figure) for name, figure in figures.items()}


def _tested(runs: Path) -> dict[str, dict[str, float]]:
    """Return test error and loss of each variant, means over its runs.

    Of a run that diverged the loss is no number, and the mean isn't either: there is none then.
    """
    values: dict[str, dict[str, list[float]]] = {}
    with runs.open(newline="") as file:
        for row in csv.DictReader(file):
            for name in ("test_error", "test_loss"):
                own = values.setdefault(row["variant"], {}).setdefault(name, [])
                own.append(float(row[name] or "nan"))
    means = {
        variant: {name: round(mean(own), 6) for name, own in figures.items()}
        for variant, figures in values.items()
    }
    return {
        variant: {name: figure for name, figure in figures.items() if isfinite(figure)}
        for variant, figures in means.items()
    }


def _links(tracker: "Tracker", parent: "MlflowRun") -> str:
    """Return links from a study's run to its report and to the table of its variants."""
    experiment = tracker.experiment.experiment_id
    report = f"#/experiments/{experiment}/runs/{parent.info.run_id}/artifacts/report/report.html"
    return (
        f"[The whole report]({report}?{TRAINING}) - "
        f"[its variants as a table]({link('', experiment, key_for(parent.data.tags)).lstrip('/')})"
    )
