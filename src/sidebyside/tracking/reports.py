"""A report's pictures and page as artifacts of the study's parent run."""

import sys
from pathlib import Path

from sidebyside import paths
from sidebyside.config.schema import Tracking
from sidebyside.errors import UserError

_SHOWN = ("*.png", "*.md", "report.html", "pictures/*.svg")


def publish_report(folder: Path, study: str, dataset: str, tracking: Tracking) -> bool:
    """Log a report to MLflow under ``report/``, where the study has a parent run; say whether.

    A report can be made where no tracking store is, from committed evidence: that is no mistake,
    and a store that can't be reached doesn't undo a report.
    """
    if tracking.uri is None and not (paths.home() / "mlflow.db").is_file():
        return False
    from sidebyside.tracking.client import Tracker

    tracker = Tracker(tracking)
    try:
        tracker.prepare()
        parent = tracker.find_parent(study, dataset)
    except UserError as error:
        print(f"warning: the report isn't in MLflow. {error}", file=sys.stderr)
        return False
    if parent is None:
        return False
    for pattern in _SHOWN:
        for path in sorted(folder.glob(pattern)):
            tracker.log_file(parent, path, "report")
    return True
