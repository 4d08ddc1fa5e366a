"""Whatever is chosen for a training: the same bits alone, warm and continued, and no others."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from sidebyside.config.validate import check
from sidebyside.engine.recipe import DATA_FORMATS, Network
from sidebyside.engine.training.arrays import Subset
from sidebyside.engine.training.fit import compiled, fit, weights_digest
from sidebyside.engine.training.networks import build
from sidebyside.engine.training.numerics import resolve
from sidebyside.engine.training.shapes import flat, layer_shapes
from support.choices import BLOCKS, CHOICES, TRAININGS

pytestmark = pytest.mark.slow

SHAPE = (10, 9, 3)
USUAL = (*CHOICES["label smoothing"][:3],)
EPOCHS = 2


def recipe_of(compose, *choice, data_format="channels_last"):
    settings = (f"training.epochs={EPOCHS}", "training.batch_size=16", "protocol=train60k")
    config = check(compose(*settings, *choice, f"data_format={data_format}", "seed=5"))
    return config.recipe()


def subset(data_format):
    """A few small colour images of three classes, one of them rare."""
    generator = np.random.default_rng(0)
    levels = np.tile(np.arange(256, dtype=np.float32) / np.float32(255), (3, 1))
    images = levels[0][generator.integers(0, 256, (40, *SHAPE))]
    if data_format == "channels_first":
        images = np.ascontiguousarray(np.moveaxis(images, -1, 1))
    labels = np.eye(3, dtype=np.float32)[generator.choice(3, 40, p=(0.6, 0.3, 0.1))]
    return Subset(images, labels, np.arange(10, 40), levels)


def held_out(data):
    """The images that aren't trained on."""
    return replace(data, indices=np.arange(10))


def trained(recipe, start=None, keep=None):
    """Return the weights' digest after each epoch."""
    data = subset(recipe.data_format)
    fitted = fit(recipe, resolve("auto"), data, held_out(data), keep or (lambda state: None), start)
    return fitted.digests


CASES = [(name, data_format) for name in BLOCKS for data_format in DATA_FORMATS]
CASES += [(name, "channels_last") for name in TRAININGS]


@pytest.mark.parametrize(("name", "data_format"), CASES)
def test_bits_are_those_of_a_run_alone(compose, name, data_format):
    recipe = recipe_of(compose, *CHOICES[name], data_format=data_format)
    states = []
    alone = trained(recipe, keep=states.append)
    assert len(set(alone)) == len(alone)
    assert trained(replace(recipe, seed=6)) != alone
    assert trained(recipe) == alone, "warm"
    assert trained(recipe, start=states[0]) == alone, "continued"


def test_each_choice_makes_a_difference(compose):
    plain = {
        "none": USUAL,
        "none but dropout": CHOICES["average of weights"][:2],
        "none but adamw": (*USUAL, "optimizer=adamw"),
    }
    choices = plain | TRAININGS
    digests = {name: trained(recipe_of(compose, *choice))[-1] for name, choice in choices.items()}
    assert len(set(digests.values())) == len(choices), digests


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_have_the_shapes_and_parameters_of_keras(compose, name):
    networks = []
    for data_format in ("channels_last", "channels_first"):
        recipe = recipe_of(compose, *BLOCKS[name], data_format=data_format)
        keras.utils.set_random_seed(1)
        networks.append(build(Network(recipe, SHAPE, 3)))
    last, first = networks
    layers = list(flat(layer_shapes(recipe.model, SHAPE, 3)))
    assert sum(layer.parameters for layer in layers) == last.count_params()
    for layer in layers:
        assert last.get_layer(layer.name).output.shape[1:] == layer.shape
    images = np.random.default_rng(0).random((5, *SHAPE), np.float32)
    expected = np.asarray(last(images))
    np.testing.assert_allclose(first(np.moveaxis(images, -1, 1)), expected, atol=1e-5)


def test_an_average_of_weights_is_what_is_kept(compose):
    plain = replace(recipe_of(compose, *USUAL), batch_size=30)  # one step an epoch
    averaged = replace(plain, ema=0.9)
    data = subset("channels_last")
    for recipe in (plain, averaged):
        states = []
        fitted = fit(recipe, resolve("auto"), data, None, states.append)
        if recipe is plain:
            of_plain = states
    # The training itself is the same until the average takes the place of the weights.
    np.testing.assert_array_equal(of_plain[0].variables[0], states[0].variables[0])
    kept, plain_end, begun = (
        fitted.network.get_weights()[0],
        of_plain[-1].variables[0],
        of_plain[0].variables[0],
    )
    np.testing.assert_allclose(kept, 0.9 * begun + 0.1 * plain_end, rtol=1e-5, atol=1e-7)


def test_the_learning_rate_takes_its_course(compose):
    from sidebyside.engine.training.networks import build_optimizer

    def rates(*choice):
        recipe = replace(recipe_of(compose, *choice), epochs=3)
        optimizer = build_optimizer(recipe, steps=10)
        return [float(optimizer._learning_rate(step)) for step in (0, 10, 20, 30)]

    assert rates("schedule=cosine") == pytest.approx([0.001, 0.00075, 0.00025, 0], abs=1e-8)
    assert rates("schedule=warmup_cosine")[:2] == pytest.approx([0, 0.001])
    assert rates("schedule=exponential") == pytest.approx([0.001, 0.0005, 0.00025, 0.000125])
    assert rates("schedule=steps") == pytest.approx([0.001, 0.001, 0.0003, 0.0001])


def test_rare_classes_weigh_more(compose):
    from sidebyside.engine.training.fit import _balanced

    data = subset("channels_last")
    weights, counts = _balanced(data), data.labels[data.indices].sum(axis=0)
    np.testing.assert_allclose(weights * counts, 10, rtol=1e-6)


def test_a_network_of_blocks_is_compiled_with_its_penalty(compose):
    recipe = recipe_of(compose, *BLOCKS["regularised"])
    network = compiled(Network(recipe, SHAPE, 3))
    assert len(network.losses) == 1


def overfitting(compose, **choice):
    """Return a recipe whose validation loss soon rises."""
    recipe = recipe_of(compose, *USUAL, "protocol=clean", "training.epochs=6")
    return replace(recipe, optimizer={**recipe.optimizer, "learning_rate": 0.2}, **choice)


def test_training_stops_when_the_loss_has_not_fallen(compose):
    until_the_end, states = overfitting(compose), []
    trained(until_the_end, keep=states.append)
    losses = states[-1].history["val_loss"]
    best = int(np.argmin(losses))
    assert best < len(losses) - 2, losses
    stopped = []
    digests = trained(replace(until_the_end, patience=1), keep=stopped.append)
    first_rise = next(n for n in range(1, 6) if losses[n] >= min(losses[:n]))
    assert len(digests) == first_rise + 1
    assert digests == states[-1].digests[: first_rise + 1]


@pytest.mark.parametrize("ema", [None, 0.5])
def test_the_best_weights_are_kept_and_survive_a_kill(compose, ema):
    recipe, states = overfitting(compose, keep="best", ema=ema), []
    data = subset("channels_last")
    numerics = resolve("auto")
    fitted = fit(recipe, numerics, data, held_out(data), states.append)
    losses = states[-1].history["val_loss"]
    best = int(np.argmin(losses))
    assert best < len(losses) - 1
    assert fitted.history["val_loss"] == losses[: best + 1]
    assert fitted.digests == states[-1].digests[: best + 1]
    assert weights_digest(fitted.network) == fitted.digests[-1]
    for state in states:
        again = fit(recipe, numerics, data, held_out(data), lambda state: None, state)
        assert weights_digest(again.network) == fitted.digests[-1]
        assert again.digests == fitted.digests
