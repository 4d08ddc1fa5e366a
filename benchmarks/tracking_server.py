"""What a team's tracking server takes: docs/server_load.md.

python benchmarks/tracking_server.py > docs/server_load.md

A PostgreSQL cluster and an `mlflow server` are started for it, and removed afterwards.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psycopg
import requests
from tabulate import tabulate

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from sidebyside import compose, train  # noqa: E402
from sidebyside.config.factors import Level  # noqa: E402
from sidebyside.config.schema import Tracking  # noqa: E402
from sidebyside.engine.recipe import Recipe  # noqa: E402
from sidebyside.storage.evaluations import Evaluation  # noqa: E402
from sidebyside.storage.results import StudyRun  # noqa: E402
from sidebyside.storage.store import Run  # noqa: E402
from sidebyside.tracking.client import Tracker  # noqa: E402
from sidebyside.tracking.published.contents import Card  # noqa: E402
from sidebyside.tracking.publisher import Publisher  # noqa: E402
from support.projects import TINY  # noqa: E402
from support.proxies import proxy  # noqa: E402
from support.servers import PostgreSQL, mlflow_server, postgresql  # noqa: E402

EPOCHS = 3
STUDY = "load"
SLOW = 0.5  # seconds that each answer of a slow server takes longer
SLOW_EPOCHS = 12
PAIRS = 3  # of a training with quick answers and one with slow ones
INDEX = "CREATE INDEX ON tags (key, value)"
TABLES = ("runs", "tags", "params", "latest_metrics")


@dataclass
class Written:
    """What one writer did.

    Attributes
    ----------
    seconds : list of float
        That each request took.
    asked : dict of int
        How many requests of each kind there were.
    """

    seconds: list[float] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Load:
    """What all writers did together."""

    runs: int
    writers: int
    runs_a_second: float
    requests_a_run: float
    median_ms: float
    most_ms: float  # that 95 % of requests take at most


def run_key(number: int) -> str:
    """Return a key as runs have."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def made_up(folder: Path, number: int, recipe: Recipe) -> tuple[StudyRun, Run, Evaluation]:
    """Return a finished run that nobody trained, with the files that are published."""
    key = run_key(number)
    own = folder / key
    own.mkdir()
    (own / "summary.txt").write_text("a network that nobody trained\n")
    (own / "timing.json").write_text('{"seconds": 1.5}')
    chance = np.random.default_rng(number)
    history = {
        name: [round(float(value), 6) for value in chance.random(EPOCHS)]
        for name in ("loss", "accuracy", "val_loss", "val_accuracy")
    }
    identity = {"recipe": recipe.as_json(), "arrays": run_key(-1)}
    run = Run(key, own, identity, 1000 + number, run_key(-2 - number), history)
    errors = [float(value) for value in chance.integers(0, 50, 10)]
    confusion = [[int(value) for value in row] for row in chance.integers(0, 99, (10, 10))]
    tested = Evaluation(
        key, own, float(np.mean(errors)), 0.5, errors, confusion, key[:12], layout=None
    )
    factors: dict[str, Level] = {"kernel_size": 3 + 2 * (number % 2), "dropout": number % 4 < 2}
    variant = ",".join(f"{name}={level}" for name, level in factors.items())
    return StudyRun(key, variant, factors, number // 4), run, tested


def timed(written: Written) -> Callable[..., requests.Response]:
    """Return `requests`' way to ask, which now takes the time of each request."""
    ask = requests.Session.request

    def request(self: requests.Session, method: str, url: str, **more: Any) -> requests.Response:
        began = time.perf_counter()
        answer = ask(self, method, url, **more)
        written.seconds.append(time.perf_counter() - began)
        name = "artifact" if "mlflow-artifacts" in url else url.rpartition("/mlflow/")[2]
        written.asked[f"{method} {name}"] += 1
        return answer

    return request


def write(numbers: list[int], tracking: Tracking, recipe: Recipe) -> Written:
    """Publish runs one after the other, as a worker on a machine of its own does."""
    written = Written()
    requests.Session.request = timed(written)  # type: ignore[method-assign]
    with TemporaryDirectory() as folder:
        os.environ["SIDEBYSIDE_HOME"] = folder  # no lock of another writer is there
        parent = Tracker(tracking).open_study(STUDY, "mnist5k")
        for number in numbers:
            own, run, tested = made_up(Path(folder), number, recipe)
            card = Card(own, recipe, STUDY, parent, launch="0123456789ab")
            tracker = Tracker(tracking)
            with Publisher(tracker, card) as publisher:
                for epoch in range(EPOCHS):
                    publisher.log_epoch(
                        epoch + 1, {name: values[epoch] for name, values in run.history.items()}
                    )
            tracker.publish(card, run, tested, "trained")
    return written


def load(shares: list[list[int]], uri: str, experiment: str, recipe: Recipe) -> Load:
    """Let a writer for each share publish it, and check what is there afterwards."""
    tracking = Tracking(uri=uri, experiment=experiment)
    Tracker(tracking).prepare()
    began = time.perf_counter()
    with multiprocessing.get_context("fork").Pool(len(shares)) as pool:
        job = partial(write, tracking=tracking, recipe=recipe)
        written = pool.map(job, shares, chunksize=1)
    seconds = time.perf_counter() - began
    check(tracking, {number for share in shares for number in share})
    published = sum(map(len, shares))
    asked = sum((one.asked for one in written), Counter())
    print(json.dumps(asked.most_common()), file=sys.stderr)
    times = [second for one in written for second in one.seconds]
    median, most = np.quantile(times, [0.5, 0.95]) * 1000
    a_run = asked.total() / published
    return Load(published, len(shares), published / seconds, a_run, median, most)


def check(tracking: Tracking, numbers: set[int]) -> None:
    """Assert that each run is there exactly once, complete, under one parent."""
    tracker = Tracker(tracking)
    found = list(tracker._pages("tags.run_key != ''"))
    keys = Counter(run.data.tags["run_key"] for run in found)
    assert keys == Counter(run_key(number) for number in numbers), keys.most_common(3)
    assert {run.info.status for run in found} == {"FINISHED"}
    parents = list(tracker._pages("tags.level = 'parent'"))
    assert len(parents) == 1, parents
    assert {run.data.tags["mlflow.parentRunId"] for run in found} == {parents[0].info.run_id}
    for run in found[:: max(1, len(found) // 100)]:
        for name in ("loss", "val_accuracy"):
            points = tracker._client.get_metric_history(run.info.run_id, name)
            assert [point.step for point in points] == list(range(1, EPOCHS + 1)), points
        assert len(tracker._client.get_metric_history(run.info.run_id, "test_error")) == 1


def multiply(database: str, times: int) -> None:
    """Copy all runs of a database, so that there are ``times`` as many."""
    with psycopg.connect(database.replace("+psycopg", "")) as connection:
        for table in TABLES:
            found = connection.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_name = %s "
                "AND is_generated = 'NEVER' ORDER BY ordinal_position",
                [table],
            )
            columns = [name for (name,) in found]
            chosen = ", ".join(f'"{name}"' for name in columns)
            made = ", ".join(
                {"run_uuid": "md5(run_uuid || n)"}.get(name, f'"{name}"') for name in columns
            )
            if table == "tags":
                made = made.replace(
                    '"value"', "CASE WHEN key = 'run_key' THEN n || value ELSE value END"
                )
            connection.execute(
                f"INSERT INTO {table} ({chosen}) SELECT {made} FROM {table}, "  # noqa: S608
                f"generate_series(2, {times}) AS n"
            )
        connection.execute("ANALYZE")


def execute(database: str, statement: str) -> None:
    """Tell a database something."""
    with psycopg.connect(database.replace("+psycopg", "")) as connection:
        connection.execute(statement)


def seconds_of(call: Callable[[], Any], times: int = 1) -> float:
    """Return the median of some times that a call takes."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return float(np.median(taken))


def looking(uri: str, experiment: str, count: str) -> list[Any]:
    """Return how long it takes to look among the runs of a server."""
    tracker = Tracker(Tracking(uri=uri, experiment=experiment))
    return [
        count,
        seconds_of(lambda: tracker._search({"run_key": run_key(1)}), times=20) * 1000,
        seconds_of(lambda: tracker.find_parent(STUDY, "mnist5k"), times=20) * 1000,
        seconds_of(tracker.close_dead, times=5) * 1000,
    ]


def trained(uri: str, delay: float, seed: int) -> list[Any]:
    """Return how long a training takes whose server answers late, and how long all of the run."""
    with proxy(uri, delay) as standing:
        chosen = [f"tracking.uri={standing.uri}", "tracking.experiment=slow", f"seed={seed}"]
        config = compose(*TINY, *chosen, f"training.epochs={SLOW_EPOCHS}")
        began = time.perf_counter()
        seconds = train(config).seconds()
        return [delay, seconds, time.perf_counter() - began, standing.asked.total()]


def report(loads: list[Load], looks: list[list[Any]], slow: list[list[Any]]) -> str:
    """Return the document."""
    columns = (
        *("runs published", "writers", "runs a second", "requests a run"),
        *("a request, median ms", "95 % of requests, ms"),
    )
    rows = [list(asdict(one).values()) for one in loads]
    looked = ("runs there", "a run by its key, ms", "a study, ms", "runs left open, ms")
    waited = ("added to each answer, s", "training, s", "whole run, s", "requests")
    quick, late = (np.median([row[1] for row in slow if row[0] == d]) for d in (0, SLOW))
    command = " ".join(["python benchmarks/tracking_server.py", *sys.argv[1:]])
    return f"""# What a tracking server takes

Written by:

    {command} > docs/server_load.md

`mlflow server` with two workers, artifacts that it serves, and PostgreSQL, all on the machine that
writes ({os.cpu_count()} CPUs; other programs ran on it too). The runs are made up, and published as
a worker does it: opened, {EPOCHS} epochs logged, then all results with four files each.

## Many writers at once

In the first row all writers publish the same runs, each from a home of its own, as machines do that
were given the same study at once; in the second each publishes its share. Each time every run was
there exactly once afterwards, FINISHED, under one parent, each of its epochs logged once.

{tabulate(rows, columns, tablefmt="github", floatfmt=".1f", intfmt="d")}

## Looking among many

The runs of the second row, then copies of them in the database; last with an index that MLflow
doesn't make: `{INDEX}`.

{tabulate(looks, looked, tablefmt="github", floatfmt=".1f", intfmt="d")}

## Slow answers

A proxy before the server keeps each answer back. A tiny network is trained for {SLOW_EPOCHS} epochs
on mnist5k, in turns with and without; the median time of its training with slow answers is
{late / quick:.2f} times that without.

{tabulate(slow, waited, tablefmt="github", floatfmt=".1f", intfmt="d")}
"""


def measure(cluster: PostgreSQL, folder: Path, arguments: argparse.Namespace) -> str:
    """Do all of it."""
    recipe = compose().recipe()
    database = cluster.database("load")
    with mlflow_server(database, folder) as server:
        same = [list(range(arguments.same))] * arguments.writers
        shares = [list(range(arguments.runs))[i :: arguments.writers] for i in range(len(same))]
        loads = [load(same, server.uri, "same", recipe)]
        loads.append(load(shares, server.uri, "shares", recipe))
        looks = [looking(server.uri, "shares", f"{arguments.runs}")]
        multiply(database, arguments.multiply)
        many = f"{arguments.runs * arguments.multiply}"
        looks.append(looking(server.uri, "shares", many))
        execute(database, INDEX)
        looks.append(looking(server.uri, "shares", f"{many}, with the index"))
        trained(server.uri, 0, 0)  # what is done once for a process
        slow = [trained(server.uri, delay, seed) for seed, delay in enumerate((0, SLOW) * PAIRS, 1)]
    return report(loads, looks, slow)


def main() -> None:
    """Measure and print docs/server_load.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writers", type=int, default=16)
    parser.add_argument("--runs", type=int, default=2000, help="published by all together")
    parser.add_argument("--same", type=int, default=20, help="published by each of them")
    parser.add_argument("--multiply", type=int, default=5, help="copies of the runs, to look among")
    arguments = parser.parse_args()
    os.environ["SIDEBYSIDE_ROOT"] = str(ROOT)
    with postgresql() as cluster, TemporaryDirectory() as folder:
        os.environ["SIDEBYSIDE_HOME"] = folder
        print(measure(cluster, Path(folder), arguments), end="")


if __name__ == "__main__":
    main()
