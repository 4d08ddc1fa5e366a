"""The same bits on any processor of a numeric class, and in a process that has trained before."""

import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from sidebyside import compose
from sidebyside.data.arrays import training_arrays
from sidebyside.data.prepare import prepare
from sidebyside.engine.training.numerics import CLASSES, resolve, same_on_all
from sidebyside.errors import UserError
from sidebyside.execution.executors.local import LocalExecutor
from sidebyside.execution.executors.tasks import Task
from sidebyside.files import read_json
from support.projects import SOURCE

GOLDEN = read_json(Path(__file__).with_name("digests.json"))["classes"]
HERE = [name for name in GOLDEN if resolve("auto") in CLASSES[: 1 + CLASSES.index(name)]]
FEW = 200  # images


def digests(config, numerics, seeds, few=None) -> list[list[str]]:
    """Train a network for some seeds, one after another; return their digests by epoch."""
    from sidebyside.engine.training.fit import fit

    training, validation = training_arrays(
        prepare(config.dataset, config.data_format), config.protocol
    )
    training = replace(training, indices=training.indices[:few])
    validation = replace(validation, indices=validation.indices[:few])
    recipes = [replace(config.recipe(), seed=seed) for seed in seeds]
    return [
        fit(recipe, numerics, training, validation, lambda state: None).digests
        for recipe in recipes
    ]


def variants(numerics: str) -> list[str]:
    """Return some of the factorial's variants that are the same on all processors of a class."""
    names = [name for name in GOLDEN[numerics] if "dropout=true" in name]
    return [name for name in names if same_on_all(config_of(name).recipe(), numerics)][::3]


def config_of(variant: str):
    """Return the config of a variant of mnist5k's factorial, trained for an epoch."""
    settings = variant.replace("kernel_size", "model.kernel_size").replace(
        "dropout", "model.dropout"
    )
    return compose("dataset=mnist5k", "training.epochs=1", *settings.split(","))


@pytest.mark.slow
@pytest.mark.parametrize("numerics", HERE)
def test_bits_are_those_of_another_processor(home, tmp_path, numerics):
    names = variants(numerics)
    assert len(names) >= 2
    tasks = [
        Task(partial(digests, config_of(name), numerics, [0]), tmp_path / str(number))
        for number, name in enumerate(names)
    ]
    outcomes = dict(LocalExecutor(workers=2).run(tasks))
    trained = {name: outcomes[number][0][0][:16] for number, name in enumerate(names)}
    assert trained == {name: GOLDEN[numerics][name][0] for name in names}


@pytest.mark.slow
def test_a_run_in_a_warm_process_is_the_run_alone(home, tmp_path):
    models = sorted(path.stem for path in (SOURCE / "conf" / "model").glob("*.yaml"))
    optimizers = sorted(path.stem for path in (SOURCE / "conf" / "optimizer").glob("*.yaml"))
    choices = [f"model={name}" for name in models]
    choices += [f"optimizer={name}" for name in optimizers] + ["data_format=channels_first"]
    configs = [compose(choice, "training.epochs=2") for choice in choices]
    train = partial(digests, numerics=resolve("auto"), few=FEW)
    alone = [
        Task(partial(train, config, seeds=[1]), tmp_path / choice, process=choice)
        for choice, config in zip(choices, configs, strict=True)
    ]
    warm = [
        Task(partial(train, config, seeds=[0, 1]), tmp_path / f"{choice} warm", process="warm")
        for choice, config in zip(choices, configs, strict=True)
    ]
    outcomes = dict(LocalExecutor(workers=2).run([*alone, *warm]))
    for number, choice in enumerate(choices):
        zero, one = outcomes[len(choices) + number]
        assert outcomes[number] == [one], choice
        assert zero != one


def test_a_class_that_the_machine_lacks_is_refused():
    without = os.environ | {"NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR"}
    program = "from sidebyside.engine.training.numerics import resolve; resolve('avx512')"
    done = subprocess.run(
        [sys.executable, "-c", program], env=without, capture_output=True, text=True, check=False
    )
    assert "training.numerics=avx512 won't do" in done.stderr


def test_a_class_that_there_is_not_is_refused():
    with pytest.raises(UserError, match=r"training\.numerics=avx9 .* native\. Choose"):
        resolve("avx9")
    assert resolve("native") == "native"


@pytest.mark.parametrize(
    ("numerics", "overrides", "same"),
    [
        ("avx512", ["data_format=channels_first"], True),
        ("avx2", [], True),
        ("avx2", ["data_format=channels_first"], False),
        ("avx2", ["data_format=channels_first", "model=mlp"], True),
        ("native", [], False),
    ],
)
def test_what_depends_on_the_processor_is_known(home, numerics, overrides, same):
    assert same_on_all(compose(*overrides).recipe(), numerics) is same
