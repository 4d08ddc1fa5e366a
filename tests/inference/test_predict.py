"""What a network takes, and in which layout it gets it."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

from sidebyside import UserError
from sidebyside.cli.main import main
from sidebyside.config.validate import check
from sidebyside.data.image_files import InputImage
from sidebyside.data.prepare import prepare
from sidebyside.inference.predict import Prediction, image_shape, normalised, of_test_set, predict
from support.projects import SOURCE

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
    assert image_shape(network) == (4, 3, 1)
    upper, lower = np.zeros((2, 4, 3, 1), np.float32)
    upper[0], lower[2:] = 0.25, 0.125
    images = [InputImage("upper", upper, []), InputImage("lower", lower, ["inverted"])]
    predictions = predict(network, images, [0, None], ["top", "bottom"])
    assert predictions == [
        Prediction("upper", "top", 0.75, "top", []),
        Prediction("lower", "bottom", 0.75, None, ["inverted"]),
    ]


@pytest.mark.parametrize("shape", [(4, 3, 1), (1, 4, 3)])
def test_a_network_of_a_class_of_ones_own_is_asked_for_its_shapes(shape):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.parts = [keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")]

        def call(self, images):
            return self.parts[1](self.parts[0](images))

    network = Own()
    network(keras.Input(shape))
    assert image_shape(network) == (4, 3, 1)
    (said,) = predict(network, [InputImage("own", np.ones((4, 3, 1), np.float32), [])], [None])
    assert 0.5 <= said.probability <= 1


@pytest.mark.parametrize("value", [2, -1, np.nan])
def test_what_is_no_probability_is_not_called_one(value):
    image = InputImage("own", np.full((4, 3, 1), value, np.float32), [])
    with pytest.raises(UserError, match="which is no probability"):
        predict(summing("channels_last"), [image], [None])


@pytest.mark.parametrize("shape", [(28, 28, 4), (784,), (None, None, 1)])
def test_a_network_that_takes_no_such_images_is_refused(shape):
    images = keras.Input(shape)
    network = keras.Model(images, keras.layers.Activation("relu")(images))
    with pytest.raises(UserError, match="not images of one channel or three"):
        image_shape(network)


def test_files_get_the_values_that_training_images_had(compose, tmp_path, monkeypatch):
    dataset = check(compose("dataset=digits", "dataset.normalisation=standardise")).dataset
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(tmp_path))
    arrays = prepare(dataset, "channels_last")
    images = arrays.read("train_images")[:2]
    pixels = arrays.pixels(images)[..., None] / np.float32(255)
    given = [InputImage("own", own, []) for own in pixels]
    np.testing.assert_array_equal([own.pixels for own in normalised(given, arrays)], images)


def test_a_network_that_is_no_classifier_is_refused():
    image = keras.Input((28, 28, 1))
    flat = keras.layers.Flatten()(image)
    for made in (image, [keras.layers.Dense(2)(flat), keras.layers.Dense(3)(flat)]):
        with pytest.raises(UserError, match=r"where a classifier makes \(None, classes\)"):
            image_shape(keras.Model(image, made))
    with pytest.raises(UserError, match="takes input of shape None"):
        image_shape(keras.Sequential([keras.layers.Dense(2)]))


def test_test_images_of_another_shape_are_refused(compose, tmp_path, monkeypatch):
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(tmp_path))
    for data_format in ("channels_last", "channels_first"):
        arrays = prepare(check(compose("dataset=digits")).dataset, data_format)
        images, labels = of_test_set(arrays, [1], (8, 8, 1))
        assert (images[0].pixels.shape, len(labels)) == ((8, 8, 1), 1)
        with pytest.raises(UserError, match=r"takes images of shape \(28, 28, 1\)"):
            of_test_set(arrays, [1], (28, 28, 1))


@pytest.fixture
def trusted(tmp_path, monkeypatch, capsys):
    """A function that predicts a dark picture by a network that knows light from dark.

    It learnt images that were standardised, those of the dataset ``own``.
    """
    for variable in ("SIDEBYSIDE_ROOT", "SIDEBYSIDE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    (tmp_path / "params.yaml").symlink_to(SOURCE / "params.yaml")
    for name, value in (("dark", 40), ("light", 90)):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(12):
            picture = Image.new("RGB", (4, 4), (value + number,) * 3)
            picture.save(tmp_path / "images" / name / f"{number}.png")
    main(["data", "add", str(tmp_path / "images"), "--name", "own"])
    config = tmp_path / "conf" / "dataset" / "own.yaml"
    config.write_text(config.read_text().replace(": scale", ": standardise"))
    dense = keras.layers.Dense(2, activation="softmax")
    network = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten(), dense])
    dense.set_weights([np.tile(np.float32([-1, 1]), (48, 1)), np.zeros(2, np.float32)])
    network.save(tmp_path / "own.keras")
    capsys.readouterr()

    def predicted(*arguments):
        image, model = tmp_path / "images" / "dark" / "0.png", tmp_path / "own.keras"
        main(["predict", str(image), "--model", str(model), "--trust", "--json", *arguments])
        return [own["label"] for own in json.loads(capsys.readouterr().out)["predictions"]]

    return predicted


@pytest.mark.slow
def test_a_trusted_network_gets_images_as_those_of_the_dataset_that_is_named(trusted, capsys):
    assert trusted("--dataset", "own") == ["dark"]
    assert trusted("--dataset", "own", "--test-index", "0")[0] == "dark"
    assert trusted() == ["1"]  # as nothing says what its images were, and what its classes are
    with pytest.raises(SystemExit):
        trusted("--dataset", "digits")
    assert "those of dataset=digits have (8, 8, 1) and are of 10" in capsys.readouterr().err
