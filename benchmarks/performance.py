"""What a study costs, beside plain Keras and Hydra's launchers: docs/performance.md.

make bench            under half an hour
make bench QUICK=1    in five minutes, four networks instead of sixteen; it writes nothing

Nothing else should run on the machine meanwhile.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import psutil
import yaml
from levers import levers_table, operations_table
from tabulate import tabulate

from sidebyside.engine.blocks import Model
from sidebyside.engine.summary import operations
from sidebyside.report.pictures.style import BLUE, GREY, STYLE, new_figure, save
from sidebyside.storage.keys import processor

ROOT = Path(__file__).resolve().parents[1]
PLAIN = Path(__file__).with_name("plain.py")
EPOCHS = 3
LEVELS = {
    "kernel_size": ["3", "5"],
    "dropout": ["true", "false"],
    "optimizer": ["adam", "adadelta"],
    "data_format": ["channels_last", "channels_first"],
}
QUICK_LEVELS = LEVELS | {"optimizer": ["adam"], "data_format": ["channels_last"]}
OUR_NAMES = {"kernel_size": "model.kernel_size", "dropout": "model.dropout"}
TEN_THOUSAND = 10_000  # images
A_STEP = 3  # times the operations of a prediction: forwards, and backwards to inputs and weights
EVERY = 0.5  # seconds between two looks at the processes


@dataclass
class Cost:
    """What a contender took; memory is each process' own, and its part of what is shared."""

    wall: float
    cpu: float
    memory: int
    lines: list[tuple[float, str]] = field(default_factory=list)


def measured(commands: Sequence[list[str]], environment: dict[str, str], home: Path) -> Cost:
    """Run commands one after another in a folder and return what they took together."""
    cost = Cost(0, 0, 0)
    began = time.perf_counter()
    for command in commands:
        with subprocess.Popen(
            command,
            env=environment,
            cwd=home,  # where MLflow puts what plain Keras logs
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr
            with watched(process.pid, cost):
                for line in process.stderr:
                    cost.lines.append((time.perf_counter() - began, line.rstrip()))
                process.wait()
            if process.returncode:
                raise SystemExit("\n".join([" ".join(command), *(line for _, line in cost.lines)]))
    cost.wall = time.perf_counter() - began
    return cost


@contextmanager
def watched(pid: int, cost: Cost) -> Iterator[None]:
    """Look at a process and all below it until they have ended."""
    seconds: dict[int, float] = {}
    ended = threading.Event()

    def look() -> None:
        root = psutil.Process(pid)
        while not ended.wait(EVERY):
            memory = 0
            try:
                for process in [root, *root.children(recursive=True)]:
                    times = process.cpu_times()
                    seconds[process.pid] = times.user + times.system
                    memory += process.memory_full_info().pss
            except psutil.Error:
                continue
            cost.memory = max(cost.memory, memory)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    cost.cpu += sum(seconds.values())


class Bench:
    """A copy of the project in which everything is timed, and its datasets."""

    def __init__(self, folder: Path, levels: dict[str, list[str]]) -> None:
        self.root, self.levels = folder / "project", levels
        self.variants = prod(map(len, levels.values()))
        self._count = 0
        for part in ("conf", "pipelines", "src"):
            shutil.copytree(ROOT / part, self.root / part)
        for part in ("params.yaml", "dvc.yaml"):
            shutil.copy(ROOT / part, self.root / part)
        self.environment = os.environ | {"SIDEBYSIDE_HOME": str(self.root)}
        self.environment.pop("SIDEBYSIDE_ROOT", None)

    def prepare(self, dataset: str) -> None:
        """Download and preprocess a dataset in both data formats."""
        self.stage("download", dataset)
        self.stage("preprocess", dataset)
        self.stage("preprocess", dataset, "data_format=channels_first")

    def stage(self, name: str, dataset: str, *more: str) -> None:
        """Run a stage of the pipeline for a dataset."""
        command = [sys.executable, str(self.root / "pipelines" / f"{name}.py"), *more]
        subprocess.run([*command, f"dataset={dataset}"], env=self.environment, check=True)

    def home(self) -> Path:
        """Return an empty folder for what a contender leaves, MLflow's tables in it."""
        self._count += 1
        home = self.root.parent / str(self._count)
        home.mkdir()
        uri = f"sqlite:///{home / 'mlflow.db'}"
        tables = f"import mlflow; mlflow.MlflowClient({uri!r}).search_experiments()"
        subprocess.run([sys.executable, "-c", tables], check=True, stderr=subprocess.DEVNULL)
        return home

    def plain(self, dataset: str, seeds: int, launcher: str | None) -> Cost:
        """Time plain Keras: by a launcher of Hydra's, or without one a process for each run."""
        home = self.home()
        where = [f"arrays={self.root}/data/processed/{dataset}", f"epochs={EPOCHS}"]
        where += [f"tracking=sqlite:///{home}/mlflow.db", f"hydra.run.dir={home}/run"]
        command = [sys.executable, str(PLAIN), *where]
        if launcher is None:
            grid = product(*self.levels.values(), range(seeds))
            names = [*self.levels, "seed"]
            commands = [
                [*command, *(f"{name}={level}" for name, level in zip(names, levels, strict=True))]
                for levels in grid
            ]
        else:
            swept = [f"{name}={','.join(levels)}" for name, levels in self.levels.items()]
            seed = f"seed={','.join(map(str, range(seeds)))}"
            more = [] if launcher == "basic" else ["hydra.launcher.n_jobs=2"]
            sweep = [f"hydra.sweep.dir={home}/sweep", f"hydra/launcher={launcher}", *more]
            commands = [[*command[:2], "-m", *command[2:], *sweep, *swept, seed]]
        return measured(commands, self.environment, home)

    def ours(self, dataset: str, seeds: int, workers: int) -> tuple[Cost, dict[str, str], float]:
        """Time sidebyside; return also the weights digests and the seconds in training steps."""
        home = self.home()
        swept = [
            f"{OUR_NAMES.get(name, name)}={','.join(levels)}"
            for name, levels in self.levels.items()
        ]
        command = [
            *(sys.executable, str(self.root / "pipelines" / "train.py"), "-m", "study=factorial"),
            *(f"dataset={dataset}", f"training.epochs={EPOCHS}", f"training.seeds={seeds}"),
            *(*swept, f"hydra.launcher.workers={workers}"),
        ]
        cost = measured([command], self.environment | {"SIDEBYSIDE_HOME": str(home)}, home)
        cards = [json.loads(path.read_text()) for path in (home / "runs").glob("*/run.json")]
        timings = [json.loads(path.read_text()) for path in (home / "runs").glob("*/timing.json")]
        assert len(cards) == self.variants * seeds
        digests = {card["key"]: card["weights_digest"] for card in cards}
        return cost, digests, sum(timing["step_seconds"] for timing in timings)


def add_ten_thousand(bench: Bench) -> bool:
    """Add a dataset of the first 10 000 training images of MNIST; say whether there is MNIST."""
    if "SIDEBYSIDE_MIRROR" not in os.environ:
        return False
    bench.stage("download", "mnist")
    raw = bench.root / "data" / "raw" / "mnist"
    config = yaml.safe_load((ROOT / "conf" / "dataset" / "mnist.yaml").read_text())
    folder = bench.root.parent / "mirror"
    folder.mkdir()
    for name, file in config["files"].items():
        content = (raw / file["name"]).read_bytes()
        if name.startswith("train"):
            header, size = (16, 28 * 28) if name.endswith("images") else (8, 1)
            count = TEN_THOUSAND.to_bytes(4, "big")
            content = content[:4] + count + content[8 : header + TEN_THOUSAND * size]
        (folder / file["name"]).write_bytes(content)
        file |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    config |= {"name": "mnist10k", "disputed": []}
    (bench.root / "conf" / "dataset" / "mnist10k.yaml").write_text(yaml.safe_dump(config))
    bench.environment["SIDEBYSIDE_MIRROR"] = str(folder)
    return True


def matrix_product_rate() -> float:
    """Return the GFLOP/s of a large matrix product on one thread, as TensorFlow computes it."""
    script = """
import time, tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(1)
a = tf.random.stateless_uniform((4096, 4096), (1, 2))
tf.matmul(a, a)
began = time.perf_counter()
for _ in range(3): product = tf.matmul(a, a)
product.numpy()
print(3 * 2 * 4096**3 / (time.perf_counter() - began) / 1e9)
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


def share_of_steps(cost: Cost, step_seconds: float, workers: int) -> float:
    """Return the part of the workers' time, from the first to the last run, that steps took."""
    times = [at for at, line in cost.lines if "/" in line and " runs" in line]
    return step_seconds / (workers * (times[-1] - times[0]))


def share_of_rate(bench: Bench, seconds: float, images: int, seeds: int, rate: float) -> float:
    """Return the operations of all training steps, as part of what products would have done."""
    from sidebyside import compose

    total = 0
    for size, dropout in product(bench.levels["kernel_size"], bench.levels["dropout"]):
        model = compose(f"model.kernel_size={size}", f"model.dropout={dropout}").model
        assert isinstance(model, Model)
        total += operations(model, (28, 28, 1), 10)
    per_pair = bench.variants // (len(bench.levels["kernel_size"]) * len(bench.levels["dropout"]))
    done = total * per_pair * seeds * EPOCHS * images * A_STEP
    return done / (seconds * rate * 1e9)


def main() -> None:
    """Measure, and write docs/performance.md and its picture."""
    quick = os.environ.get("QUICK", "") not in ("", "0")
    with TemporaryDirectory(prefix="bench-") as folder:
        bench = Bench(Path(folder), QUICK_LEVELS if quick else LEVELS)
        bench.prepare("mnist5k")
        text = report(bench, quick)
    if quick:
        print(text)
    else:
        (ROOT / "docs" / "performance.md").write_text(text)


def report(bench: Bench, quick: bool) -> str:
    """Return the page, having measured all that is on it."""
    rows, costs = compare(bench, quick)
    if not quick:
        draw(costs, ROOT / "docs" / "performance.png")
    picture = [] if quick else ["![Wall time by contender](performance.png)", ""]
    return "\n".join(
        [
            "# What a study costs",
            "",
            "Written by `make bench`, everything one after another on the same machine",
            f"({processor()['model']}, {os.cpu_count()} cores); look at the ratios, not at the",
            f"seconds. All train the factorial's network for {EPOCHS} epochs of batches of 128 and",
            "log parameters, figures of each epoch, the test error and the trained network.",
            "mnist10k, the first 10 000 training images of MNIST, is made for this page alone.",
            "",
            tabulate(rows, headers="keys", tablefmt="pipe"),
            "",
            *picture,
            *worker_lines(bench, costs),
            "",
            "By operation, in the 3x3 network with dropout and Adam (TensorFlow's profiler):",
            "",
            operations_table(),
            "",
            "## Levers",
            "",
            "One network (3x3, dropout, Adam), an epoch of mnist5k after a first one, each in a",
            "process of its own; the ratio is to what sidebyside does.",
            "",
            levers_table(),
            "",
        ]
    )


Costs = dict[str, tuple[Cost, float]]


def compare(bench: Bench, quick: bool) -> tuple[list[dict[str, object]], Costs]:
    """Time all contenders; return the rows of the table, and costs with seconds in steps."""
    count = bench.variants
    plain = {
        "plain Keras, a process a run": None,
        "plain Keras, one process (Hydra's basic launcher)": "basic",
        "plain Keras, two processes (Hydra's joblib launcher)": "joblib",
    }
    costs: Costs = {}
    digests = []
    for name, launcher in plain.items():
        tell(name)
        costs[f"{count} runs, mnist5k: {name}"] = (bench.plain("mnist5k", 1, launcher), 0.0)
    contenders = [("mnist5k", 1, 1), ("mnist5k", 1, 2)]
    if not quick:
        contenders.append(("mnist5k", 4, 2))
        if add_ten_thousand(bench):
            bench.prepare("mnist10k")
            contenders += [("mnist10k", 1, 1), ("mnist10k", 1, 2)]
    for dataset, seeds, workers in contenders:
        name = f"sidebyside, {workers} worker{'s' * (workers > 1)}"
        tell(f"{name}, {count * seeds} runs on {dataset}")
        cost, bits, steps = bench.ours(dataset, seeds, workers)
        costs[f"{count * seeds} runs, {dataset}: {name}"] = (cost, steps)
        digests.append(bits)
    assert digests[0] == digests[1], "the number of workers changed bits"
    (first, _), *_ = costs.values()
    return [row(name, cost, first, count) for name, (cost, _) in costs.items()], costs


def row(name: str, cost: Cost, first: Cost, count: int) -> dict[str, object]:
    """Return a contender's row; ratios are to the first one, a run each."""
    what, _, contender = name.partition(": ")
    runs = int(what.split()[0])
    comparable = "mnist5k" in what
    ratio = (cost.wall / runs) / (first.wall / count)
    return {
        "what": what,
        "contender": contender,
        "wall s": f"{cost.wall:.0f}",
        "a run s": f"{cost.wall / runs:.1f}",
        "ratio": f"{ratio:.2f}" if comparable else "",
        "CPU s": f"{cost.cpu:.0f}",
        "peak memory MiB": f"{cost.memory / 2**20:.0f}",
    }


def worker_lines(bench: Bench, costs: Costs) -> list[str]:
    """Return sentences on where a worker's time goes, and how fast its steps are."""
    rate = matrix_product_rate()
    sizes = {"mnist5k": 3333, "mnist10k": TEN_THOUSAND - TEN_THOUSAND // 6}
    lines = [
        "## Where a worker's time goes",
        "",
        "The rest is tracing, validation, evaluation, pictures, MLflow and files.",
        "",
    ]
    rows = []
    for name, (cost, steps) in costs.items():
        if "sidebyside" not in name:
            continue
        what, _, contender = name.partition(": ")
        runs, dataset = int(what.split()[0]), what.split()[-1]
        workers = int(contender.split()[1])
        steps_share = share_of_steps(cost, steps, workers)
        rate_share = share_of_rate(bench, steps, sizes[dataset], runs // bench.variants, rate)
        rows.append(
            {
                "what": what,
                "contender": contender,
                "in training steps %": f"{100 * steps_share:.0f}",
                "of a 4096 x 4096 matrix product's rate %": f"{100 * rate_share:.0f}",
            }
        )
    return [*lines, tabulate(rows, headers="keys", tablefmt="pipe")]


def draw(costs: Costs, path: Path) -> None:
    """Draw the wall time a run of each contender on mnist5k."""
    import matplotlib as mpl

    named = {name: cost for name, (cost, _) in costs.items() if "mnist5k" in name}
    seconds = [cost.wall / int(name.split()[0]) for name, cost in named.items()]
    labels = [f"{name.partition(': ')[2]}, {name.partition(',')[0]}" for name in named]
    with mpl.rc_context(STYLE):
        figure = new_figure(9, 3.2)
        axes = figure.subplots()
        colours = [BLUE if "sidebyside" in label else GREY for label in labels]
        bars = axes.barh(np.arange(len(labels)), seconds, color=colours)
        axes.bar_label(bars, fmt="%.1f", padding=3)
        axes.set_yticks(np.arange(len(labels)), labels)
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("wall time a run, seconds")
        save(figure, path)


def tell(line: str) -> None:
    """Say what is being timed."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
