"""What the bits of a network depend on besides its recipe: docs/numerics.md.

python benchmarks/numerics.py

On another processor it adds a table to those there are (docs/numerics.json).
"""

import json
from collections import Counter
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

from tabulate import tabulate

from sidebyside import compose
from sidebyside.config.schema import Config
from sidebyside.data.arrays import training_arrays
from sidebyside.data.prepare import prepare
from sidebyside.engine.blocks import Activation
from sidebyside.engine.training.numerics import CLASSES, resolve
from sidebyside.execution.executors.local import LocalExecutor
from sidebyside.execution.executors.tasks import Task

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "tests" / "engine" / "digests.json"
COMPARED = ROOT / "docs" / "numerics.json"
APPROXIMATE = ("Rsqrt", "RsqrtGrad", "Reciprocal", "Inv", "InvGrad")
BLOCKS = {
    "convolution, pool, dropout, dense": "",
    "batch normalisation": "{type:batch_norm},",
}
ABOUT = """# Numeric classes: the same bits on other processors

Written by:

    python benchmarks/numerics.py

(on another processor it adds a table). A run's bits are decided by its recipe, its data, the code
in `engine/training`, the versions of TensorFlow, Keras and NumPy, the number of threads, and the
*numeric class*: which instructions oneDNN may use. `training.numerics=auto` takes the best class of
the machine. The key has the class and not the processor, so machines of a class share runs, locks
and reports.

| class | oneDNN may use | processors |
|---|---|---|
| `avx512` | `ONEDNN_MAX_CPU_ISA=AVX512_CORE` | Intel servers since 2017, AMD since Zen 4 |
| `avx2` | `ONEDNN_MAX_CPU_ISA=AVX2` | nearly every x86-64 since 2013 |
| `native` | whatever it likes | any; the key has the processor as well |

In every class oneDNN is on: by itself TensorFlow switches it on only for processors with VNNI, AMX
or the like, and elsewhere trains channels_last to other bits and channels_first not at all.
`TF_ENABLE_ONEDNN_OPTS=0` switches it off, and is in the key. Operations are deterministic, on as
many threads as `training.threads` says, and TensorFlow's arithmetic optimization is off: it makes
`x / sqrt(y)` of an optimizer's step `x * rsqrt(y)`, an instruction that approximates, and that
Intel and AMD round differently. Variables that change bits and are in no key are dropped from the
environment: `TF_XLA_FLAGS`, `TF_ONEDNN_ASSUME_FROZEN_WEIGHTS`, and `TF_SET_ONEDNN_FPMATH_MODE`,
`ONEDNN_DEFAULT_FPMATH_MODE` and `DNNL_DEFAULT_FPMATH_MODE`, by which oneDNN rounds float32 in class
`native`.

Some runs depend on more than the class. Their keys have the processor:

- **batch normalisation** asks for `Rsqrt` itself;
- **channels_first convolutions in class avx2**: oneDNN has no kernels for that layout without
  AVX-512 and computes a matrix product (`gemm:jit` in `ONEDNN_VERBOSE=1`), which it cuts into
  blocks by the size of the second-level cache;
- of what **nobody has compared** between processors: schedules, augmentation, averages of weights,
  `mixed_bfloat16`, strides, dilation, l2, models of one's own, and all blocks but conv, dense,
  pool, dropout and flatten.

Compared were the 16 variants in the tables below, and no more: conv, pool, dropout and dense
blocks with relu, Adam and Adadelta, batches of 128 images of 28x28 pixels, one thread. Other runs
of such blocks **share keys within a class without having been compared**: those with adamw,
rmsprop or sgd, gradient clipping, another activation, kernel, initializer or size of a layer,
batch or image, label smoothing, class weights, `training.keep=best`, `training.patience`,
`training.order=once`, `dataset.normalisation=standardise`, or several threads. None of the
optimizers and activations takes one of the operations that approximate (below), so they should be
the same; whether they are, `sidebyside verify bits` on the other machine tells
([verify.md](verify.md)). `training.numerics=native` puts the processor into the key of any run.

All of this is about processors; a run on a GPU has the card in its key, too ([gpu.md](gpu.md)).

Libraries outside of that could differ too (`pow` of Adam's step comes from the C library); on the
machines compared here they didn't.
"""


def digests(config: Config, numerics: str) -> list[str]:
    """Train a network and return its weights digest after each epoch."""
    from sidebyside.engine.training.fit import fit

    training, validation = training_arrays(
        prepare(config.dataset, config.data_format), config.protocol
    )
    recipe = config.recipe()
    return fit(recipe, resolve(numerics), training, validation, lambda state: None).digests


def approximations(config: Config, optimizing: bool) -> dict[str, int]:
    """Return the operations of a training step that approximate, as TensorFlow runs it."""
    import tensorflow as tf
    from tensorflow.python.eager import context

    from sidebyside.engine.recipe import Network
    from sidebyside.engine.training import determinism
    from sidebyside.engine.training.fit import compiled

    determinism.fix(1, resolve("auto"))
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": optimizing})
    network = compiled(Network(config.recipe(), (28, 28, 1), 10))
    step = tf.function(lambda images, labels: network.train_step((images, labels)))
    images = tf.random.stateless_uniform((8, *network.input_shape[1:]), (1, 2))
    context.enable_run_metadata()
    step(images, tf.one_hot(range(8), 10))
    graphs = context.export_run_metadata().partition_graphs
    found = Counter(node.op for graph in graphs for node in graph.node)
    return {name: found[name] for name in APPROXIMATE if found[name]}


def shipped() -> dict[str, Config]:
    """Return a config for each optimizer, block and activation that ships."""
    network = (
        "model.blocks=[{{type:conv,filters:2,activation:{}}},{}{{type:pool}},{{type:flatten}}]"
    )
    plain = ("model=conv_single", "model.dropout=null")
    optimizers = sorted(path.stem for path in (ROOT / "conf" / "optimizer").glob("*.yaml"))
    blocks = {
        name: [network.format("relu", block), "optimizer=sgd"] for name, block in BLOCKS.items()
    }
    activations = {
        name: [network.format(name, ""), "optimizer=sgd"] for name in get_args(Activation)
    }
    chosen = {name: [network.format("relu", ""), f"optimizer={name}"] for name in optimizers}
    return {
        name: compose(*plain, *overrides)
        for name, overrides in {**chosen, **blocks, **activations}.items()
    }


def in_processes(calls: list[Any]) -> list[Any]:
    """Return what calls return, each in a process of its own."""
    with TemporaryDirectory() as folder:
        tasks = [
            Task(call, Path(folder) / str(number), process=str(number))
            for number, call in enumerate(calls)
        ]
        outcomes = dict(LocalExecutor(workers=2).run(tasks))
    for outcome in outcomes.values():
        if isinstance(outcome, BaseException):
            raise outcome
    return [outcomes[number] for number in range(len(calls))]


def operations_table() -> str:
    """Return which approximate operations each optimizer, block and activation takes."""
    configs = shipped()
    calls = [
        partial(approximations, config, on) for config in configs.values() for on in (True, False)
    ]
    found = [", ".join(names) or "none" for names in in_processes(calls)]
    rows = [
        {"": name, "optimization on": on, "off, as here": off}
        for name, on, off in zip(configs, found[::2], found[1::2], strict=True)
    ]
    return tabulate(rows, headers="keys", tablefmt="pipe")


def compared(reference: dict[str, dict[str, list[str]]]) -> list[dict[str, str]]:
    """Return which weights digests of another processor come out on this one, by variant."""
    names = [name for name in CLASSES if name in reference and _can(name)]
    variants = list(reference[names[0]])
    calls = [partial(digests, _config(variant), name) for variant in variants for name in names]
    outcomes = iter(in_processes(calls))
    rows = []
    for variant in variants:
        row = {"variant": variant}
        for name in names:
            pairs = zip(next(outcomes), reference[name][variant], strict=True)
            same = [full.startswith(known) for full, known in pairs]
            row[name] = "the same" if all(same) else f"differs from epoch {1 + same.index(False)}"
        rows.append(row)
    return rows


def this_machine() -> str:
    """Return what to call this machine's processor: a model's name alone may be that of many."""
    from cpuinfo import get_cpu_info

    info = get_cpu_info()
    return f"{info['brand_raw']}, family {info['family']}, model {info['model']}"


def _can(numerics: str) -> bool:
    return resolve("auto") in CLASSES[: 1 + CLASSES.index(numerics)]


def _config(variant: str) -> Config:
    named = variant.replace("kernel_size", "model.kernel_size").replace("dropout", "model.dropout")
    return compose("dataset=mnist5k", "training.epochs=3", *named.split(","))


def main() -> None:
    """Measure and write docs/numerics.md."""
    reference = json.loads(REFERENCE.read_text())
    operations = operations_table()
    machines = json.loads(COMPARED.read_text()) | {this_machine(): compared(reference["classes"])}
    COMPARED.write_text(json.dumps(machines, indent=1) + "\n")
    tables = [
        f"### {name}\n\n{tabulate(rows, headers='keys', tablefmt='pipe')}\n"
        for name, rows in machines.items()
    ]
    text = f"""{ABOUT}
## Which operations approximate

Of those TensorFlow runs in a training step, by optimizer, block and activation:

{operations}

## {len(machines) + 1} processors

Against {reference["trained_on"]}: weights digests
after each of 3 epochs of mnist5k's factorial, seed 0 (`{REFERENCE.relative_to(ROOT)}`).

{chr(10).join(tables)}
What a class costs is a row of [performance.md](performance.md).
"""
    (ROOT / "docs" / "numerics.md").write_text(text)


if __name__ == "__main__":
    main()
