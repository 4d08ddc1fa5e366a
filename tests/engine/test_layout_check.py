"""A network against itself in the other data format."""

import keras
import numpy as np
import pytest

from sidebyside.config.validate import check
from sidebyside.engine.recipe import Network
from sidebyside.engine.scoring.forward import forward
from sidebyside.engine.scoring.layout_check import check_layout
from sidebyside.engine.training.networks import build

BLOCKS = "model.blocks=[{type:conv,filters:3},{type:pool},{type:dropout,rate:0.2},{type:flatten}]"


@pytest.fixture(params=["channels_last", "channels_first"])
def network(request, compose) -> Network:
    """A network of one convolution, in each data format."""
    return Network(check(compose(BLOCKS, f"data_format={request.param}")).recipe(), (12, 9, 1), 4)


@pytest.fixture
def weights(network):
    """Random weights for it."""
    keras.utils.set_random_seed(0)
    return build(network).get_weights()


@pytest.fixture
def images(network):
    """Random images for it."""
    last = network.recipe.data_format == "channels_last"
    shape = (20, 12, 9, 1) if last else (20, 1, 12, 9)
    return np.random.default_rng(0).random(shape, np.float32)


def test_the_same_weights_predict_the_same_in_both(network, weights, images):
    logits = forward(network).logits(weights, images)
    layout = check_layout(network, weights, images, logits)
    assert layout.images == 20
    assert layout.flips == 0
    assert layout.largest_difference < 1e-5


def test_other_logits_are_told(network, weights, images):
    logits = -forward(network).logits(weights, images)
    assert check_layout(network, weights, images, logits).flips == 20
