"""What a network takes, and in which layout it gets it."""

import keras
import numpy as np
import pytest

from sidebyside import UserError
from sidebyside.data.image_files import Digit
from sidebyside.inference.predict import Prediction, image_shape, predict

pytestmark = pytest.mark.usefixtures("one_thread")


def summing(data_format):
    """Return a network that gives the sums of an image's upper and lower half."""
    shape = (4, 3, 1) if data_format == "channels_last" else (1, 4, 3)
    weights = np.repeat(np.eye(2, dtype="float32"), 6, axis=0)
    dense = keras.layers.Dense(2, use_bias=False)
    network = keras.Sequential([keras.Input(shape), keras.layers.Flatten(), dense])
    dense.set_weights([weights])
    return network


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_each_image_has_its_prediction_in_either_layout(data_format):
    network = summing(data_format)
    assert image_shape(network) == (4, 3)
    upper, lower = np.zeros((2, 4, 3), np.float32)
    upper[0], lower[2:] = 0.25, 0.125
    digits = [Digit("upper", upper, []), Digit("lower", lower, ["inverted"])]
    predictions = predict(network, digits, [0, None])
    assert predictions == [
        Prediction("upper", 0, 0.75, 0, []),
        Prediction("lower", 1, 0.75, None, ["inverted"]),
    ]


@pytest.mark.parametrize("shape", [(28, 28, 3), (3, 28, 28), (784,), (None, None, 1)])
def test_a_network_that_takes_no_such_images_is_refused(shape):
    images = keras.Input(shape)
    network = keras.Model(images, keras.layers.Activation("relu")(images))
    with pytest.raises(UserError, match="not images of one channel"):
        image_shape(network)
