"""What each way of making a training step faster, or its bits the same, does to an epoch."""

import re
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from heapq import nlargest
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory

from tabulate import tabulate

from sidebyside import compose
from sidebyside.config.schema import Config
from sidebyside.data.arrays import training_arrays
from sidebyside.data.prepare import prepare
from sidebyside.engine.training.numerics import CLASSES, resolve
from sidebyside.execution.executors.local import LocalExecutor
from sidebyside.execution.executors.tasks import Task

_OPERATIONS = 12  # that are named

Times = tuple[float, float]  # seconds until the first epoch has ended, and of the second one


def ours(config: Config, numerics: str, change: Callable[[], None] = lambda: None) -> Times:
    """Time two epochs as sidebyside trains them, once ``change`` has set something else."""
    from sidebyside.engine.recipe import Network
    from sidebyside.engine.training import determinism, fit
    from sidebyside.engine.training.loops import Loops, load

    determinism.fix(1, resolve(numerics))
    change()
    training, _ = training_arrays(prepare(config.dataset, config.data_format), config.protocol)
    wanted = Network(config.recipe(), (28, 28, 1), 10)
    loaded = load(training, wanted.channel_axis)
    began = time.perf_counter()
    loops = Loops(fit.compiled(wanted), wanted)
    return _epochs(began, lambda: loops.train(loaded, loaded.indices, 128))


def by_fit(config: Config, **options: object) -> Times:
    """Time two epochs of Keras' own fit, from arrays in memory."""
    import keras

    from sidebyside.engine.recipe import Network
    from sidebyside.engine.training import determinism
    from sidebyside.engine.training.networks import build

    determinism.fix(1, resolve("auto"))
    training, _ = training_arrays(prepare(config.dataset, config.data_format), config.protocol)
    images, labels = training.images[training.indices], training.labels[training.indices]
    keras.utils.set_random_seed(0)
    began = time.perf_counter()
    network = build(Network(config.recipe(), (28, 28, 1), 10))
    network.compile("adam", "categorical_crossentropy", metrics=["accuracy"], **options)
    return _epochs(began, lambda: network.fit(images, labels, batch_size=128, verbose=0))


def rewriting() -> None:
    """Turn TensorFlow's arithmetic optimization on again."""
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": True})


def _epochs(began: float, epoch: Callable[[], object]) -> Times:
    epoch()
    middle = time.perf_counter()
    epoch()
    return middle - began, time.perf_counter() - middle


def levers_table() -> str:
    """Return a row for each lever: what it does to an epoch, and whether it is pulled."""
    config = compose("model.kernel_size=3", "model.dropout=true")
    changed = {
        "precision": replace(config, training=replace(config.training, precision="mixed_bfloat16")),
        "first": replace(config, data_format="channels_first"),
        "plain": compose("model.kernel_size=3", "model.dropout=false"),
    }
    levers = {
        "sidebyside: an epoch in one graph": (partial(ours, config, "auto"), "kept"),
        "Keras' fit, a batch at a time by tf.data": (partial(by_fit, config), "dropped"),
        "Keras' fit, 8 steps an execution": (
            partial(by_fit, config, steps_per_execution=8),
            "dropped",
        ),
        "Keras' fit, compiled by XLA": (partial(by_fit, config, jit_compile=True), "dropped"),
        "TensorFlow's arithmetic optimization": (
            partial(ours, config, "auto", rewriting),
            "dropped: bits differ by processor",
        ),
        "mixed_bfloat16": (partial(ours, changed["precision"], "auto"), "by choice"),
        "mixed_bfloat16, numeric class native": (
            partial(ours, changed["precision"], "native"),
            "by choice",
        ),
        "channels_first": (partial(ours, changed["first"], "auto"), "by choice"),
        "without dropout": (partial(ours, changed["plain"], "auto"), "by choice"),
    }
    for numerics in CLASSES[CLASSES.index(resolve("auto")) :]:
        levers[f"numeric class {numerics}"] = (partial(ours, config, numerics), "by choice")
    with TemporaryDirectory() as folder:
        tasks = [
            Task(call, Path(folder) / str(number), process=str(number))
            for number, (call, _) in enumerate(levers.values())
        ]
        outcomes = dict(LocalExecutor(workers=1).run(tasks))
    times = []
    for number, name in enumerate(levers):
        if isinstance(outcomes[number], BaseException):
            raise SystemExit(f"{name}: {outcomes[number]}")
        times.append(outcomes[number])
    _, usual = times[0]
    rows = [
        {
            "lever": name,
            "until the first epoch's end s": f"{first:.2f}",
            "an epoch s": f"{second:.2f}",
            "ratio": f"{second / usual:.2f}",
            "": verdict,
        }
        for (name, (_, verdict)), (first, second) in zip(levers.items(), times, strict=True)
    ]
    return tabulate(rows, headers="keys", tablefmt="pipe")


def profile(config: Config) -> dict[str, float]:
    """Return the milliseconds of each operation of an epoch, by TensorFlow's profiler."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    from sidebyside.engine.recipe import Network
    from sidebyside.engine.training import determinism, fit
    from sidebyside.engine.training.loops import Loops, load

    determinism.fix(1, resolve("auto"))
    training, _ = training_arrays(prepare(config.dataset, config.data_format), config.protocol)
    wanted = Network(config.recipe(), (28, 28, 1), 10)
    loaded = load(training, wanted.channel_axis)
    loops = Loops(fit.compiled(wanted), wanted)
    loops.train(loaded, loaded.indices, 128)
    with TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            loops.train(loaded, loaded.indices, 128)
        (path,) = Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(path.read_bytes())
    taken: dict[str, float] = defaultdict(float)
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            name = plane.event_metadata[event.metadata_id].name
            if name.startswith("while/body/"):  # an operation of a step: its place, its type
                taken[name] += event.duration_ps / 1e9
    return taken


def operations_table() -> str:
    """Return the share of a step's time that its most expensive operations take."""
    config = compose("model.kernel_size=3", "model.dropout=true")
    with TemporaryDirectory() as folder:
        task = Task(partial(profile, config), Path(folder) / "output.txt")
        ((_, taken),) = LocalExecutor(workers=1).run([task])
    if isinstance(taken, BaseException):
        raise SystemExit(f"TensorFlow's profiler: {taken}")
    parts: dict[str, float] = defaultdict(float)
    for name, milliseconds in taken.items():
        place, _, operation = name.rpartition(":")
        layer = re.search(r"/(conv_\d|dense_\d|output|pool_\d|dropout_\d|adam)", place)
        parts[f"{operation} ({layer.group(1) if layer else 'images'})"] += milliseconds
    whole = sum(parts.values())
    shown = nlargest(_OPERATIONS, parts.items(), key=itemgetter(1))
    rest = whole - sum(milliseconds for _, milliseconds in shown)
    rows = [
        {"operation (layer)": name, "of a step's time %": f"{100 * milliseconds / whole:.1f}"}
        for name, milliseconds in [*shown, ("all others", rest)]
    ]
    return tabulate(rows, headers="keys", tablefmt="pipe")


if __name__ == "__main__":
    print(operations_table())
    print(levers_table())
