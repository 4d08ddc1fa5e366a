"""A network against itself in the other data format."""

import keras
import numpy as np
import pytest

from sidebyside.config.validate import check
from sidebyside.engine.scoring.layout_check import check_layout
from sidebyside.engine.training.networks import build

BLOCKS = "model.blocks=[{type:conv,filters:3},{type:pool},{type:dropout,rate:0.2},{type:flatten}]"


@pytest.fixture(params=["channels_last", "channels_first"])
def trained(request, compose):
    """A recipe, its network with random weights, and images in its data format."""
    recipe = check(compose(BLOCKS, f"data_format={request.param}")).recipe()
    keras.utils.set_random_seed(0)
    network = build(recipe.model, (12, 9), 4, recipe.data_format)
    shape = (20, 12, 9, 1) if request.param == "channels_last" else (20, 1, 12, 9)
    return recipe, network, np.random.default_rng(0).random(shape, np.float32)


def test_the_same_weights_predict_the_same_in_both(trained):
    recipe, network, images = trained
    layout = check_layout(network, recipe, (12, 9), images)
    assert layout.images == 20
    assert layout.flips == 0
    assert layout.largest_difference < 1e-5
