"""What a network is trained on: all images, in an order fixed by seed and epoch, as they are."""

from dataclasses import replace

import numpy as np
import pytest

from sidebyside.config.validate import check
from sidebyside.data.arrays import training_arrays
from sidebyside.data.prepare import prepare
from sidebyside.engine.training import loops
from sidebyside.engine.training.arrays import Subset
from sidebyside.engine.training.fit import fit
from sidebyside.engine.training.numerics import resolve
from support.networks import build_network

FEW = 300


@pytest.fixture
def config(compose):
    """Of a small network that is trained for two epochs, with dropout."""
    small = ("model=mlp", "model.blocks=[{type:flatten},{type:dropout,rate:0.2}]")
    return check(compose(*small, "training.epochs=2", "seed=3"))


@pytest.fixture
def training(config, project) -> Subset:
    """A few of the training images of mnist5k."""
    subset, _ = training_arrays(prepare(config.dataset, config.data_format), config.protocol)
    return replace(subset, indices=subset.indices[:FEW])


def weights_after(config, training, validation=None, **changes):
    """Return the weights after training by a recipe that is changed, and the history."""
    recipe = replace(config.recipe(), **changes)
    fitted = fit(recipe, resolve("auto"), training, validation, lambda state: None)
    return fitted.network.get_weights(), fitted.history


def test_a_training_is_that_of_keras(config, training):
    """The same images in the same order, given to Keras' own fit."""
    import keras

    keras.utils.set_random_seed(3)
    network = build_network(config)
    for epoch in range(2):
        order = training.indices[np.random.default_rng([3, epoch]).permutation(FEW)]
        images, labels = training.images[order], training.labels[order]
        size = config.training.batch_size
        logs = network.fit(images, labels, size, shuffle=False, verbose=0).history
    weights, history = weights_after(config, training)
    for ours, theirs in zip(weights, network.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    for name in ("loss", "accuracy"):
        assert history[name][-1] == pytest.approx(logs[name][0], rel=1e-5)


def test_validation_changes_nothing_but_the_figures(config, training):
    held_out = replace(training, indices=np.arange(FEW, 2 * FEW))
    alone, _ = weights_after(config, training)
    with_it, history = weights_after(config, training, held_out)
    for one, other in zip(alone, with_it, strict=True):
        np.testing.assert_array_equal(one, other)
    assert history.keys() == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert 0 < history["val_accuracy"][-1] < 1


def test_another_seed_is_another_training(config, training):
    weights, _ = weights_after(config, training, seed=4)
    assert not np.array_equal(weights[0], weights_after(config, training)[0][0])


def test_pixels_are_kept_as_bytes_and_no_other_images_are_taken(training):
    loaded = loops.load(training, -1)
    assert loaded.pixels.dtype == np.uint8
    np.testing.assert_array_equal(loaded.pixels.numpy() / np.float32(255), training.images)
    with pytest.raises(ValueError, match="8 bits"):
        loops.load(replace(training, images=training.images * np.float32(0.999)), -1)
