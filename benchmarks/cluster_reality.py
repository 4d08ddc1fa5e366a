"""A tiny real launch beside its simulation."""

import os
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from cluster_given import Cluster, Run
from cluster_model import Simulation

from sidebyside.execution.executors.local import LocalExecutor
from sidebyside.execution.executors.tasks import Task

ROOT = Path(__file__).resolve().parents[1]
WORKERS = 2
SEEDS = 4
SWEEP = (
    "model.kernel_size=3,5",
    f"seed=range(0,{SEEDS})",
    "training.epochs=1",
    f"hydra.launcher.workers={WORKERS}",
)
_TASKS = 300  # that do nothing


@dataclass(frozen=True)
class Reality:
    """What was measured, in seconds, and what the simulation made of it."""

    command: str
    runs: int
    took: float
    simulated: float
    before: float
    after: float
    a_run: float
    per_task: float


def compare() -> Reality:
    """Launch a sweep, measure what the simulation is given, and simulate it.

    A run's time is that between the start and the end of its MLflow run, the launch's own; so what
    is compared is the order, the waiting and the overhead.
    """
    with TemporaryDirectory() as folder:
        per_task = seconds_of_a_task(Path(folder))
        began = time.time()
        _launch(folder)
        ended = time.time()
        spans = _spans(folder)
    before = min(start for _, start, _ in spans) - began
    after = ended - max(end for _, _, end in spans)
    runs = [
        Run(Task(int, Path("log"), graph=size, cost=float(size)), end - start)
        for size, start, end in sorted(spans)
    ]
    nothing_else = replace(Cluster(), tracing=0, service=0, latency=0, bandwidth=float("inf"))
    cluster = replace(
        nothing_else, workers=WORKERS, epochs=1, start=before, composing=0, per_task=per_task
    )
    return Reality(
        command=f"python pipelines/train.py -m {shlex.join(SWEEP)}",
        runs=len(runs),
        took=ended - began,
        simulated=Simulation(cluster, runs).outcome().makespan + after,
        before=before,
        after=after,
        a_run=sum(run.seconds for run in runs) / len(runs),
        per_task=per_task,
    )


def seconds_of_a_task(folder: Path) -> float:
    """Return what the local executor's driver takes for a task that does nothing."""
    tasks = [Task(os.getpid, folder / "log", graph="one") for _ in range(_TASKS)]
    ends = [time.perf_counter() for _ in LocalExecutor(workers=1).run(tasks)]
    return (ends[-1] - ends[0]) / (_TASKS - 1)


def _launch(home: str) -> None:
    own = {"SIDEBYSIDE_ROOT", "MLFLOW_TRACKING_URI"}
    environment = {name: value for name, value in os.environ.items() if name not in own}
    subprocess.run(
        [sys.executable, "pipelines/train.py", "-m", *SWEEP],
        cwd=ROOT,
        env=environment | {"SIDEBYSIDE_HOME": home},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def _spans(home: str) -> list[tuple[str, float, float]]:
    """Return kernel size, start and end of each run, as MLflow has them."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{home}/mlflow.db")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return [
        (run.data.params["kernel_size"], run.info.start_time / 1e3, run.info.end_time / 1e3)
        for run in client.search_runs(experiments)
        if "run_key" in run.data.tags
    ]
