"""What the figures of variants in MLflow are by, as told by the report that they come from."""

from contextlib import suppress

from sidebyside import paths
from sidebyside.config.metrics import ERROR, Metric, read_metric
from sidebyside.files import read_json


def reported_metric(study: str, dataset: str) -> Metric:
    """Return what a study's report is judged by.

    Without a report that can be read it is the error, the one figure that MLflow has until then.
    """
    with suppress(OSError, ValueError, KeyError, TypeError):
        return read_metric(read_json(paths.reports(dataset, study) / "comparison.json")["metric"])
    return ERROR
