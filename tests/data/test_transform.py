"""Pixels normalised, labels one-hot."""

import numpy as np
import pytest

from sidebyside.data.preprocessing.transform import (
    normalised,
    one_hot,
    scale_levels,
    standard_levels,
)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_pixels_are_scaled_to_one(data_format, channels):
    raw = np.arange(24 * channels, dtype=np.uint8).reshape(2, 3, 4, channels)
    raw[0, 0, 0] = 255
    images = normalised(raw, scale_levels(channels), data_format)
    last = images if data_format == "channels_last" else np.moveaxis(images, 1, -1)
    assert last.shape == raw.shape
    assert images.dtype == np.float32
    np.testing.assert_array_equal(last, raw.astype(np.float32) / np.float32(255))


def test_each_channel_is_standardised_by_the_training_images():
    generator = np.random.default_rng(0)
    raw = generator.integers(0, (50, 200, 256), (40, 5, 6, 3)).astype(np.uint8)
    images = normalised(raw, standard_levels(raw), "channels_last")
    np.testing.assert_allclose(images.mean(axis=(0, 1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(images.std(axis=(0, 1, 2)), 1, atol=1e-6)


def test_a_channel_that_is_the_same_everywhere_has_no_sd():
    raw = np.full((2, 3, 3, 1), 7, np.uint8)
    assert np.isfinite(standard_levels(raw)).all()


def test_labels_are_rows_of_the_unit_matrix():
    hot = one_hot(np.array([2, 0], np.uint8), 3)
    assert hot.dtype == np.float32
    assert hot.tolist() == [[0, 0, 1], [1, 0, 0]]
