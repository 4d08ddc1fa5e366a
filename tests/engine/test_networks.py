"""Networks from config: shapes by formula, the same network in both data formats."""

from collections import Counter

import keras
import numpy as np
import pytest

from sidebyside import UserError
from sidebyside.config.compose import compose_grid
from sidebyside.config.validate import check
from sidebyside.engine.recipe import Network
from sidebyside.engine.training.networks import build
from sidebyside.engine.training.shapes import flat, layer_shapes
from support.projects import SOURCE

pytestmark = pytest.mark.slow

MODELS = sorted(path.stem for path in (SOURCE / "conf" / "model").glob("*.yaml"))
NORMALISED = (
    "model.blocks=[{type:conv,filters:6,padding:same},{type:batch_norm},{type:pool,size:3},"
    "{type:flatten},{type:dense,units:5},{type:batch_norm}]",
    "model.dropout=null",
)
CHOICES = {name: (f"model={name}",) for name in MODELS} | {"batch_norm": NORMALISED}


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("choice", CHOICES.values(), ids=CHOICES)
def test_shapes_and_parameters_are_those_of_keras(compose, choice, data_format):
    recipe = check(compose(*choice, f"data_format={data_format}")).recipe()
    network, model = build(Network(recipe, (28, 28, 1), 10)), recipe.model
    layers = list(flat(layer_shapes(model, (28, 28, 1), 10)))
    names = sorted((layer.name for layer in layers), key=len, reverse=True)
    parameters = Counter(dict.fromkeys(names, 0))
    for keras_layer in network.layers:  # a shortcut's weights, say, are those of its block
        owner = next((name for name in names if f"{keras_layer.name}_".startswith(f"{name}_")), "")
        parameters[owner] += keras_layer.count_params()
    assert parameters.pop("", 0) == 0
    assert parameters == {layer.name: layer.parameters for layer in layers}
    for layer in layers:
        shape = network.get_layer(layer.name).output.shape[1:]
        if len(shape) == 3 and data_format == "channels_first":
            shape = (*shape[1:], shape[0])
        assert layer.shape == shape


def test_the_tutorials_network_has_its_parameters(compose):
    model = check(compose("model=conv_pair")).model
    assert sum(layer.parameters for layer in layer_shapes(model, (28, 28, 1), 10)) == 1_199_882


def test_the_small_networks_are_small_and_of_one_kernel_size():
    variants = compose_grid(["study=beyond", "dataset=mnist", "seed=0"])
    models = {config.model.name: config.model for config, _ in variants}
    assert sorted(model.kernel_size for model in models.values()) == [3, 5, 7]
    for model in models.values():
        assert not any(getattr(block, "kernel_size", None) for block in model.blocks)
        layers = layer_shapes(model, (28, 28, 1), 10)
        assert sum(layer.parameters for layer in layers) <= 100_000


@pytest.mark.parametrize("choice", CHOICES.values(), ids=CHOICES)
def test_both_formats_begin_and_predict_alike(compose, choice):
    networks = []
    for data_format in ("channels_last", "channels_first"):
        keras.utils.set_random_seed(4)
        recipe = check(compose(*choice, f"data_format={data_format}")).recipe()
        networks.append(build(Network(recipe, (28, 28, 1), 10)))
    for one, other in zip(networks[0].get_weights(), networks[1].get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    images = np.random.default_rng(0).random((3, 28, 28, 1), np.float32)
    last = networks[0].predict(images, verbose=0)
    first = networks[1].predict(np.moveaxis(images, -1, 1), verbose=0)
    np.testing.assert_allclose(last, first, atol=1e-5)
    assert len(np.unique(last)) > 10


def test_batch_norm_is_over_the_channels(compose):
    recipe = check(compose(*NORMALISED, "data_format=channels_first")).recipe()
    network = build(Network(recipe, (28, 28, 1), 10))
    assert [network.get_layer(f"batch_norm_{n}").axis for n in (1, 2)] == [1, -1]


def test_the_switch_drops_dropout_and_renames_nothing(compose):
    on, off = (
        [layer.name for layer in layer_shapes(check(compose(choice)).model, (28, 28, 1), 10)]
        for choice in ("model.dropout=true", "model.dropout=false")
    )
    assert [name for name in on if not name.startswith("dropout")] == off
    assert len(on) == len(off) + 2


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ("{type:conv,filters:2,kernel_size:29}", "conv_1 (29x29) leaves no pixels"),
        ("{type:pool},{type:pool,size:15}", "pool_2 (15x15) leaves no pixels"),
        ("{type:dense,units:2}", "dense_1 needs a vector but gets an image"),
        ("{type:flatten},{type:conv,filters:2,kernel_size:1}", "conv_1 needs an image"),
        ("{type:conv,filters:2,kernel_size:1}", "ends with an image of shape (28, 28, 2)"),
    ],
)
def test_an_impossible_network_is_refused(compose, blocks, message):
    choice = (f"model.blocks=[{blocks}]", "model.dropout=null", "model.kernel_size=null")
    with pytest.raises(UserError) as refused:
        check(compose(*choice))
    assert message in str(refused.value)
