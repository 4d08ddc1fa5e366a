"""An export that isn't the network isn't kept."""

import keras
import numpy as np
import pytest

from sidebyside import UserError
from sidebyside.inference.export import FORMATS, export

pytestmark = pytest.mark.usefixtures("one_thread")

IMAGES = np.random.default_rng(0).random((50, 6, 6, 1), np.float32)


class Unknown(keras.layers.Layer):
    """A layer that Keras can't find again when it opens a file."""

    def call(self, inputs):
        return inputs


@keras.saving.register_keras_serializable("tests")
class Noisy(keras.layers.Layer):
    """A layer that predicts something else each time."""

    def call(self, inputs):
        return keras.random.uniform(keras.ops.shape(inputs))


def network(layer):
    flat = [keras.layers.Flatten(), keras.layers.Dense(3)]
    return keras.Sequential([keras.Input((6, 6, 1)), *flat, layer])


@pytest.mark.slow
def test_each_format_is_written_under_the_name(tmp_path):
    paths = export(network(keras.layers.ReLU()), IMAGES, "it", list(FORMATS), tmp_path / "new")
    assert [path.name for path in paths] == ["it.keras", "it.h5", "it_savedmodel", "it.tflite"]
    assert all(path.exists() for path in paths)


def test_a_network_that_cannot_be_opened_again_is_refused(tmp_path):
    with pytest.raises(UserError, match="can't be exported as keras: "):
        export(network(Unknown()), IMAGES, "it", ["keras"], tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["keras", "savedmodel"])
def test_an_export_that_predicts_other_labels_is_removed(tmp_path, form):
    with pytest.raises(UserError, match=rf"as {form} predicts another label for \d+ of 50 images"):
        export(network(Noisy()), IMAGES, "it", [form], tmp_path)
    assert list(tmp_path.iterdir()) == []
