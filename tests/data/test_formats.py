"""Sound files of every format of raw data: to the arrays that they hold."""

from dataclasses import replace

import numpy as np
import pytest

from sidebyside import compose
from sidebyside.data.prepare import prepare
from sidebyside.engine.recipe import DATA_FORMATS
from support.formats import (
    COUNTS,
    SOUND,
    assert_prepared,
    assert_read,
    every_format,
    of,
    write,
)


@every_format
def test_what_a_server_serves_becomes_arrays(workspace, server, sound):
    write(server.folder, sound.files)
    assert_prepared(of(sound, server.url("well")), sound.arrays)


@every_format
def test_what_a_mirror_folder_holds_is_read(workspace, tmp_path, monkeypatch, sound):
    monkeypatch.setenv("SIDEBYSIDE_MIRROR", str(write(tmp_path / "mirror", sound.files)))
    assert_read(of(sound), sound.arrays)


def test_a_transfer_that_is_compressed_on_the_way_changes_nothing(workspace, server):
    sound = SOUND["npz"]
    write(server.folder, sound.files)
    assert_read(of(sound, server.url("encoding")), sound.arrays)


@pytest.mark.parametrize("data_format", DATA_FORMATS)
def test_each_channel_is_standardised_by_the_training_images(workspace, tmp_path, data_format):
    sound = SOUND["npz of colour, compressed"]
    source = write(tmp_path / "source", sound.files)
    prepared = prepare(replace(of(sound, source), normalisation="standardise"), data_format)
    axis = -1 if data_format == "channels_last" else 1
    train = sound.arrays["train_images"].astype(float)
    mean, sd = train.mean(axis=(0, 1, 2)), train.std(axis=(0, 1, 2))
    for part in COUNTS:
        images = prepared.read(f"{part}_images")
        assert images.dtype == np.float32
        expected = (sound.arrays[f"{part}_images"] - mean) / sd
        np.testing.assert_allclose(np.moveaxis(images, axis, -1), expected, atol=1e-6)
        np.testing.assert_array_equal(prepared.pixels(images), sound.arrays[f"{part}_images"])


def test_another_normalisation_makes_the_arrays_again(workspace, tmp_path):
    sound = SOUND["npz"]
    scaled = of(sound, write(tmp_path / "source", sound.files))
    assert not prepare(scaled, "channels_last").holds("levels")
    again = prepare(replace(scaled, normalisation="standardise"), "channels_last")
    assert again.read("levels").shape == (1, 256)
    assert again.read("train_images").min() < 0
    assert_prepared(scaled, sound.arrays)


def test_the_digits_need_no_network(configs):
    from sklearn.datasets import load_digits

    digits = compose("dataset=digits", "model=mlp").dataset
    assert digits.sources == ["package:sklearn"]
    pixels, labels = load_digits(return_X_y=True)
    images = np.rint(pixels.reshape(-1, 8, 8) * 255 / 16).astype(np.uint8)
    labels = labels.astype(np.uint8)
    assert (images.min(), images.max()) == (0, 255)
    arrays = {
        "train_images": images[:-360],
        "train_labels": labels[:-360],
        "test_images": images[-360:],
        "test_labels": labels[-360:],
    }
    assert_prepared(digits, arrays)
