"""What comes before the runs of a launch: whether they can be trained, what MLflow is shown."""

import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sidebyside.config.schema import Config
from sidebyside.data.prepare import prepare
from sidebyside.engine.training.gpus import DEVICES
from sidebyside.engine.training.numerics import CLASSES, resolve
from sidebyside.errors import UserError
from sidebyside.execution.elsewhere import check_machine, of_each_kind
from sidebyside.execution.executors.interface import Executor, WorkerDiedError
from sidebyside.execution.executors.tasks import Task
from sidebyside.execution.jobs import Job
from sidebyside.stderr import greetings_hidden
from sidebyside.storage import keys, staleness, store

if TYPE_CHECKING:
    from sidebyside.tracking.client import Tracker
    from sidebyside.tracking.shown.variants import Variants

_SAMPLES = (4, 10)  # rows and columns of the grid of digits
_MOST_NAMED = 3  # models in the name of a launch


def open_parent(tracker: "Tracker", jobs: Sequence[Job], launch_id: str) -> str:
    """Return the id of the MLflow run above those of a launch."""
    from sidebyside.tracking.shown.judged import reported_metric
    from sidebyside.tracking.shown.views import study_views, sweeps_view

    config, factors = jobs[0].config, list(jobs[0].run.factors)
    dataset = config.dataset.name
    if config.study:
        study = config.study.name
        parent = tracker.open_study(study, dataset)
        views = study_views(study, dataset, factors, reported_metric(study, dataset))
        tracker.show([*views, sweeps_view(dataset)])
        return parent
    tags = {"launch": launch_id, "level": "parent", "dataset": dataset}
    parent = tracker.open_parent(_name(jobs, factors), tags, reopen=False)
    tracker.show([sweeps_view(dataset)])
    return parent


def _name(jobs: Sequence[Job], factors: Sequence[str]) -> str:
    """Return e.g. "conv_pair on mnist5k: optimizer x seed"."""
    models = list(dict.fromkeys(job.config.model.name for job in jobs))
    named = ", ".join(models) if len(models) <= _MOST_NAMED else f"{len(models)} models"
    varied = [*factors, *(["seed"] if len({job.run.seed for job in jobs}) > 1 else [])]
    what = " x ".join(varied) or "one run"
    return f"{named} on {jobs[0].config.dataset.name}: {what}"


def below_variants(variants: "Variants", jobs: Sequence[Job]) -> list[Job]:
    """Return jobs whose MLflow runs belong under those of their variants, which are opened.

    An ad-hoc launch has those where it has several variants, of several seeds each.
    """
    if not jobs or not (jobs[0].config.study or _has_replicates(jobs)):
        return list(jobs)
    cards = variants.open([job.card for job in jobs])
    return [replace(job, variant=card.variant) for job, card in zip(jobs, cards, strict=True)]


def _has_replicates(jobs: Sequence[Job]) -> bool:
    variants = {job.run.variant for job in jobs}
    return 1 < len(variants) < len(jobs)


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
    untrained = [job for job in jobs if job.run.key not in done]
    asked = []
    for device in DEVICES:
        if own := [job for job in untrained if job.config.training.device == device]:
            travelling = of_each_kind(own) if executor.elsewhere else []
            call = partial(_check, [job.config for job in own], travelling)
            log = log_folder / "preflight.txt"
            asked.append(executor.first(Task(call, log, gpu=device == "gpu")))
    yield
    for answer in asked:
        try:
            answer.result()
        except WorkerDiedError as death:
            raise UserError(
                f"Whether these networks can be trained couldn't be tried: {death}. "
                f"{log_folder / 'preflight.txt'} may say why."
            ) from None


def _check(configs: Sequence[Config], travelling: Sequence[Job]) -> None:
    """Raise a UserError if networks can't be trained here, or runs would be others than planned."""
    check_machine(travelling)
    with greetings_hidden():
        from sidebyside.execution.preflight.trainable import check_trainable

    check_trainable(configs)


def tell_differences(jobs: Sequence[Job]) -> None:
    """Say why runs have to be trained again, and where their bits will be other ones."""
    missing = [job.identity for job in jobs if not store.holds(job.run.key)]
    if stale := staleness.explain(missing):
        print(stale, file=sys.stderr)
    here = None
    if (numerics := resolve(jobs[0].config.training.numerics)) != CLASSES[0]:
        here = f"Numeric class {numerics}, not {CLASSES[0]}"
    if keys.on_gpu(jobs[0].identity):
        here = f"On a GPU ({jobs[0].identity['environment']['gpu']['name']})"
    if here:
        print(
            f"{here}: other bits than in committed results; "
            "`git diff reports` shows by how much findings differ.",
            file=sys.stderr,
        )
