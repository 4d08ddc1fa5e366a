"""Pictures become images like those of MNIST."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from sidebyside import UserError
from sidebyside.data.image_files import are_marks, read_images
from sidebyside.data.preprocessing import idx


def bar(height: int, width: int, top: int, left: int) -> np.ndarray:
    """Return a light bar on dark, a third of the picture high."""
    pixels = np.zeros((height, width), np.uint8)
    pixels[top : top + height // 3, left : left + height // 15] = 250
    return pixels


def read(tmp_path, pixels, mode="L"):
    Image.fromarray(pixels).convert(mode).save(tmp_path / "it.png")
    (digit,) = read_images(tmp_path / "it.png", (28, 28, 1))
    return digit


def test_an_image_of_the_size_is_taken_as_it_is(tmp_path):
    pixels = bar(28, 28, 3, 20)
    digit = read(tmp_path, pixels)
    np.testing.assert_array_equal(digit.pixels[..., 0], pixels / np.float32(255))
    assert digit.changes == []
    inverted = read(tmp_path, 255 - pixels)
    np.testing.assert_array_equal(inverted.pixels, digit.pixels)
    assert inverted.changes == ["inverted, as it was dark on light"]


def test_sixteen_bits_are_read_as_the_same_eight(tmp_path):
    pixels = bar(28, 28, 3, 20)
    for shown in (pixels, 255 - pixels):
        digit = read(tmp_path, shown)
        Image.fromarray(shown.astype(np.uint16) * 257).save(tmp_path / "it.png")
        (same,) = read_images(tmp_path / "it.png", (28, 28, 1))
        np.testing.assert_array_equal(same.pixels, digit.pixels)


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "RGBA"])
@pytest.mark.parametrize("place", [(5, 10), (150, 250)])
def test_a_digit_is_scaled_and_centred_wherever_it_is(tmp_path, place, mode):
    digit = read(tmp_path, bar(240, 300, *place), mode)
    assert digit.pixels.shape == (28, 28, 1)
    assert digit.pixels.dtype == np.float32
    rows = np.flatnonzero(digit.pixels.max(axis=(1, 2)) > 0.5)
    assert rows[-1] - rows[0] + 1 == 20  # as high as MNIST's digits
    assert ndimage.center_of_mass(digit.pixels[..., 0]) == pytest.approx((13.5, 13.5), abs=0.5)


def test_specks_are_left_out(tmp_path):
    pixels = bar(240, 300, 50, 100)
    clean = read(tmp_path, pixels)
    pixels[230:233, 290:293] = 250
    digit = read(tmp_path, pixels)
    np.testing.assert_array_equal(digit.pixels, clean.pixels)
    assert "1 specks left out" in digit.changes


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.full((50, 50), 90, np.uint8), "shows nothing"),
        (np.zeros((4, 50), np.uint8), "too few for a digit"),
        (bar(240, 300, 50, 50) | bar(240, 300, 50, 150), "2 characters side by side"),
        (np.kron(np.eye(5), np.pad([[200]], 9)).astype(np.uint8), "5 separate marks"),
    ],
)
def test_what_is_no_digit_is_refused(tmp_path, pixels, words):
    with pytest.raises(UserError, match=words):
        read(tmp_path, pixels)


def test_each_image_of_an_idx_file_is_named(tmp_path):
    images = np.stack([bar(28, 28, 3, 20), bar(28, 28, 9, 5)])
    (tmp_path / "several").write_bytes(idx.serialise(images))
    digits = read_images(tmp_path / "several", (28, 28, 1))
    assert [digit.name for digit in digits] == [f"{tmp_path}/several[{at}]" for at in (0, 1)]
    np.testing.assert_array_equal(
        [digit.pixels[..., 0] for digit in digits], (images / np.float32(255)).astype(np.float32)
    )


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"it.png can't be read: No such file"):
        read_images(tmp_path / "it.png", (28, 28, 1))


def test_a_picture_in_colour_is_taken_whole(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "it.png")
    (same,) = read_images(tmp_path / "it.png", (20, 30, 3))
    np.testing.assert_array_equal(same.pixels, pixels / np.float32(255))
    assert same.changes == []
    (scaled,) = read_images(tmp_path / "it.png", (10, 15, 3))
    assert scaled.pixels.shape == (10, 15, 3)
    assert scaled.changes == ["30 x 20 pixels scaled to 15 x 10"]
    of_four = pixels.reshape(10, 2, 15, 2, 3).mean(axis=(1, 3)) / 255
    np.testing.assert_allclose(scaled.pixels, of_four, atol=1 / 255)


def test_grey_images_of_another_kind_are_taken_whole(tmp_path):
    photos = np.random.default_rng(0).integers(120, 256, (3, 20, 30), np.uint8)
    assert not are_marks(photos)
    assert are_marks(255 - photos)
    Image.fromarray(photos[0]).save(tmp_path / "it.png")
    (same,) = read_images(tmp_path / "it.png", (20, 30, 1), marks=False)
    np.testing.assert_array_equal(same.pixels[..., 0], photos[0] / np.float32(255))
    assert same.changes == []
    (scaled,) = read_images(tmp_path / "it.png", (10, 15, 1), marks=False)
    assert scaled.pixels.shape == (10, 15, 1)
