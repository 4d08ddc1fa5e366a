"""Models of one's own: what is asked of them before a sweep, and what makes their runs stale."""

import importlib
import sys
from dataclasses import replace
from itertools import count

import keras
import numpy as np
import pytest

from sidebyside import UserError, paths, train
from sidebyside import compose as compose_run
from sidebyside.config.validate import check
from sidebyside.engine.recipe import Network
from sidebyside.engine.scoring.saved_model import read_network, write_network
from sidebyside.engine.training.fit import compiled
from sidebyside.engine.training.networks import build
from sidebyside.execution.preflight.own_models import check_own
from sidebyside.execution.preflight.trainable import check_trainable
from sidebyside.files import file_digest
from sidebyside.storage.own_sources import check_unchanged, own_sources, take_sources
from support.choices import OWN

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

_NUMBERS = count()  # a module is imported once in a process, so each has a name of its own
SHAPE = (32, 32, 3)
_HEAD = "import keras, numpy\n"
_BEGUN = _HEAD + "def make(input_shape, classes):\n    image = keras.Input(input_shape)\n"
_DENSE = "keras.layers.Dense(classes, activation='softmax')(keras.layers.Flatten()(image))"
SOUND = _BEGUN + f"    return keras.Model(image, {_DENSE})\n"
UNDEFINED = _BEGUN + f"    return keras.Model(image, keras.ops.log(-{_DENSE}))\n"
OUTSIDE = (
    _HEAD
    + """
class Noise(keras.layers.Layer):
    def call(self, images):
        return images + keras.random.uniform(keras.ops.shape(images))  # from a global state

def make(input_shape, classes):
    image = keras.Input(input_shape)
    flat = keras.layers.Flatten()(Noise()(image))
    return keras.Model(image, keras.layers.Dense(classes, activation='softmax')(flat))
"""
)
UNSEEDED = (
    _BEGUN
    + "    first = keras.initializers.Constant(float(numpy.random.default_rng().random()))\n"
    + "    flat = keras.layers.Flatten()(image)\n"
    + "    hidden = keras.layers.Dense(3, kernel_initializer=first)(flat)\n"
    + "    return keras.Model(image, keras.layers.Dense(classes, activation='softmax')(hidden))\n"
)


@pytest.fixture
def wanted(compose, tmp_path, monkeypatch):
    """A function that returns the network of a model in a file beside conf/."""

    def of_source(source, target="make", **arguments):
        module = f"own_{next(_NUMBERS)}"
        (tmp_path / f"{module}.py").write_text(source)
        network = of_target(f"{module}.{target}", **arguments)
        monkeypatch.setenv("SIDEBYSIDE_ROOT", str(tmp_path))
        monkeypatch.syspath_prepend(tmp_path)
        return network

    def of_target(target, data_format="channels_last", **arguments):
        given = [f"+model.{name}={value}" for name, value in arguments.items()]
        left = ["~model.blocks", "~model.dropout", "~model.kernel_initializer"]
        named = ["model=mlp", "model.name=mine", f"+model._target_={target}"]
        config = compose(*named, *left, *given, f"data_format={data_format}")
        return Network(check(config).recipe(), SHAPE, 10, 5)

    of_source.installed = of_target
    return of_source


@pytest.mark.parametrize(
    ("source", "target"), [(SOUND, "make"), (OWN, "functional"), (OWN, "Subclassed")]
)
def test_a_sound_model_is_built_trained_and_loaded_alike(wanted, source, target, tmp_path):
    network = wanted(source, target)
    check_own(network)
    made = build(network)
    write_network(made, network, tmp_path)
    images = np.random.default_rng(0).random((4, *SHAPE), np.float32)
    np.testing.assert_array_equal(read_network(tmp_path)(images), made(images))


def test_probabilities_of_eight_bits_are_probabilities(wanted):
    # A sixth is 0.16699 then, and six of them are 1.002.
    network = wanted(SOUND.replace("'softmax'", "'softmax', kernel_initializer='zeros'"))
    recipe = replace(network.recipe, precision="mixed_bfloat16")
    check_own(replace(network, recipe=recipe, classes=6))


def test_a_step_that_diverges_is_no_fault_of_the_model(wanted):
    network = wanted(SOUND)
    optimizer = {**network.recipe.optimizer, "learning_rate": 1e38}
    check_own(replace(network, recipe=replace(network.recipe, optimizer=optimizer)))


def test_a_network_of_keras_applications_works_as_it_is(wanted):
    mobile = wanted.installed(
        "keras.applications.MobileNetV3Small", weights="null", include_preprocessing="false"
    )
    network = compiled(mobile)
    images, labels = np.zeros((1, *SHAPE), np.float32), np.eye(10, dtype=np.float32)[:1]
    network.train_on_batch(images, labels)
    assert network(images).shape == (1, 10)
    assert own_sources(mobile.recipe.model) == {"keras": f"keras {keras.__version__}"}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (OUTSIDE, "same batch gives other weights"),
        (UNSEEDED, "built twice with the same seed"),
        (_BEGUN + "    return keras.Model(image, image)\n", r"is needed: a probability for each"),
        (SOUND.replace("'softmax'", "'relu'"), "isn't a probability for each class"),
        (UNDEFINED, "isn't a probability for each class"),
        (SOUND.replace("return", "raise ValueError('so it is')\n    return"), "ValueError: so it"),
        (_HEAD + "def make(classes):\n    return 3\n", "returns int, no keras.Model"),
        ("import nosuch\n", "there is no own_[0-9]+.make .*nosuch"),
        ("def other(): pass\n", "there is no own_[0-9]+.make"),
        ("make = 3\n", "is no function and no class"),
        ("def make(:\n", "there is no own_[0-9]+.make .*SyntaxError"),
    ],
)
def test_a_model_that_does_not_do_is_named_before_a_sweep(wanted, source, words):
    with pytest.raises(UserError, match=words):
        check_own(wanted(source))


def test_a_model_without_data_format_is_for_channels_last(wanted):
    with pytest.raises(UserError, match="takes no argument data_format"):
        check_own(wanted(SOUND, data_format="channels_first"))


def test_arguments_that_it_does_not_take_are_named(wanted):
    with pytest.raises(UserError, match="unexpected keyword argument 'depth'"):
        check_own(wanted(SOUND, depth=3))


def test_what_a_model_imports_decides_it_too(wanted, tmp_path):
    (tmp_path / "parts_of_it.py").write_text("WIDTH = 3\n")
    network = wanted("import parts_of_it\n" + SOUND)
    sources = own_sources(network.recipe.model)
    module = network.recipe.model.target.partition(".")[0]
    assert set(sources) == {f"{module}.py", "parts_of_it.py"}
    check_unchanged(network.recipe.model, sources, "0" * 64)
    with pytest.raises(UserError, match=r"parts_of_it.py changed since run 000000000000"):
        check_unchanged(network.recipe.model, sources | {"parts_of_it.py": "other"}, "0" * 64)


def test_the_version_of_a_package_that_a_model_imports_decides_it_too(
    wanted, tmp_path, monkeypatch
):
    packages = tmp_path / "site-packages"
    metadata = packages / "some_nets-1.5.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text("Metadata-Version: 2.1\nName: Some-Nets\nVersion: 1.5\n")
    (metadata.parent / "top_level.txt").write_text("somenets\n")
    (packages / "somenets.py").write_text("WIDTH = 3\n")
    monkeypatch.syspath_prepend(packages)
    model = wanted("import os\nfrom somenets import WIDTH\n" + SOUND).recipe.model
    sources = own_sources(model)
    assert sources.keys() == {f"{model.target.partition('.')[0]}.py", "somenets"}
    assert sources["somenets"] == "Some-Nets 1.5"
    of_before = {name: own for name, own in sources.items() if name != "somenets"}
    check_unchanged(model, of_before, "0" * 64)
    with pytest.raises(UserError, match="somenets changed since run"):
        check_unchanged(model, sources | {"somenets": "Some-Nets 1.4"}, "0" * 64)


def test_a_model_whose_module_is_a_script_is_named(wanted, compose, monkeypatch):
    target = wanted("import sys\nsys.exit(2)\n").recipe.model.target
    config = compose("model=mlp")
    model = replace(wanted(SOUND).recipe.model, target=target)
    with pytest.raises(UserError, match=r"ends Python \(exit code 2\). Put what it does"):
        check_trainable([replace(check(config), model=model)])


@pytest.fixture
def edited(project, tracking_home):
    """A model in a file of the project, and a function that returns the config of its run."""
    path = project / f"own_{next(_NUMBERS)}.py"
    path.write_text(SOUND)
    left = ["~model.blocks", "~model.dropout", "~model.kernel_initializer"]
    named = ["model=mlp", "model.name=mine", f"+model._target_={path.stem}.make"]
    yield path, lambda: compose_run(*named, *left, "training.epochs=1")
    path.unlink()
    sys.modules.pop(path.stem, None)


OTHER = SOUND.replace("'softmax'", "'hard_sigmoid'")


def test_an_edit_of_what_a_process_has_imported_asks_for_another_process(edited):
    path, config = edited
    run = train(config())
    path.write_text(OTHER)
    for _ in range(2):  # as it is, and reloaded as %autoreload does
        with pytest.raises(UserError, match=rf"{path.name} changed since this process imported it"):
            train(config())
        importlib.reload(sys.modules[path.stem])
    assert [card.parent for card in paths.runs().glob("*/run.json")] == [run.folder]
    path.write_text(SOUND)
    assert train(config()) == run


def test_an_edit_of_what_no_process_has_imported_counts_from_the_next_launch_on(edited):
    path, config = edited
    model = config().model
    before = own_sources(model)
    path.write_text(OTHER)
    assert own_sources(model) == before  # as a sweep that runs goes on
    take_sources([model])
    assert own_sources(model) != before


def test_a_model_that_was_imported_and_edited_before_its_first_run_is_refused(edited, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.syspath_prepend(edited[0].parent)
    path, config = edited
    importlib.import_module(path.stem)
    path.write_text(OTHER)
    with pytest.raises(UserError, match="restart Python"):
        train(config())


def test_a_process_that_imported_another_model_than_a_run_has_is_named(edited):
    path, config = edited
    train(config())
    path.write_text(OTHER)
    of_file = {path.name: file_digest(path)}
    with pytest.raises(UserError, match="restart Python"):
        check_unchanged(config().model, of_file, "0" * 64)
