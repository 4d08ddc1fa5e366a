"""Pixels scaled, labels one-hot."""

import numpy as np
import pytest

from sidebyside.data.preprocessing.transform import one_hot, scaled


@pytest.mark.parametrize(
    ("data_format", "shape"), [("channels_last", (2, 3, 4, 1)), ("channels_first", (2, 1, 3, 4))]
)
def test_pixels_are_scaled_to_one_and_get_a_channel(data_format, shape):
    raw = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    raw[0, 0, 0] = 255
    pixels = scaled(raw, data_format)
    assert pixels.shape == shape
    assert pixels.dtype == np.float32
    assert pixels.max() == 1
    np.testing.assert_array_equal(np.rint(pixels.reshape(raw.shape) * 255), raw)


def test_labels_are_rows_of_the_unit_matrix():
    hot = one_hot(np.array([2, 0], np.uint8), 3)
    assert hot.dtype == np.float32
    assert hot.tolist() == [[0, 0, 1], [1, 0, 0]]
