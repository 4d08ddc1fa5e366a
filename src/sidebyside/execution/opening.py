"""What comes before the runs of a launch: whether they can be trained, what MLflow is shown."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sidebyside.config.schema import Config
from sidebyside.data.prepare import prepare
from sidebyside.engine.training.gpus import DEVICES
from sidebyside.execution.executors.interface import Executor
from sidebyside.execution.executors.tasks import Task
from sidebyside.execution.jobs import Job
from sidebyside.stderr import greetings_hidden

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


@contextmanager
def preflight(
    jobs: Sequence[Job], done: Collection[str], executor: Executor, log_folder: Path
) -> Iterator[None]:
    """Have TensorFlow asked meanwhile, in a worker, whether runs can be trained."""
    untrained = [job.config for job in jobs if job.run.key not in done]
    asked = []
    for device in DEVICES:
        if own := [config for config in untrained if config.training.device == device]:
            call, log = partial(_check_trainable, own), log_folder / "preflight.txt"
            asked.append(executor.first(Task(call, log, gpu=device == "gpu")))
    yield
    for answer in asked:
        answer.result()


def _check_trainable(configs: Sequence[Config]) -> None:
    with greetings_hidden():
        from sidebyside.execution.preflight import check_trainable

    check_trainable(configs)
