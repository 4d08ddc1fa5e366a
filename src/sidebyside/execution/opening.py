"""What MLflow is shown of a launch before its runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sidebyside.config.schema import Config
from sidebyside.data.prepare import prepare

if TYPE_CHECKING:
    from sidebyside.tracking.client import Tracker

_SAMPLES = (4, 10)  # rows and columns of the grid of digits


def open_parent(tracker: "Tracker", config: Config, factors: Sequence[str], launch_id: str) -> str:
    """Return the id of the MLflow run above those of a launch."""
    if config.study:
        return tracker.open_study(config.study.name, config.dataset.name)
    tags = {"launch": launch_id, "level": "parent"}
    name = f"multirun over {', '.join(factors or ['one run'])}"
    return tracker.open_parent(name, tags, reopen=False)


def draw_samples(config: Config, folder: Path) -> Path:
    """Return a picture of what the images of a launch look like."""
    from sidebyside.report.samples import draw_sample_grid

    arrays = prepare(config.dataset, config.data_format)
    path = folder / "samples.png"
    rows, columns = _SAMPLES
    columns = min(columns, config.dataset.size)
    rows = min(rows, config.dataset.size // columns)
    draw_sample_grid(arrays, "train", 0, rows, columns, path, config.dataset.class_names)
    return path
