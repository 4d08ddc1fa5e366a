"""``sidebyside data check``: what is there twice, what a dataset holds, and samples of it."""

import re

import numpy as np
import pytest
from PIL import Image

from sidebyside.data.checking import check_images
from sidebyside.data.prepare import prepare
from support.formats import (
    CLASSES,
    COUNTS,
    FRACTION,
    GREY,
    Arrays,
    Sound,
    archive,
    composed,
    draw,
    idx_files,
    npz_file,
    picture,
    place_of,
    sentence,
    write,
)


def duplicated() -> Arrays:
    """Return images of which some are there twice, and one that almost is."""
    arrays = {role: array.copy() for role, array in GREY.items()}
    train, test = arrays["train_images"], arrays["test_images"]
    train[[7, 8]] = train[3]
    test[[1, 5]] = train[3]
    arrays["train_labels"][[3, 7, 8]] = 0, 1, 0
    arrays["test_labels"][[1, 5]] = 0
    test[6] = train[4]
    test[6, 0, 0] ^= 1
    test[[2, 3]] = test[0]  # twice in the test set alone, where it tells nothing of the other
    arrays["test_labels"][[0, 2, 3]] = 2
    return arrays


@pytest.mark.parametrize("sound", ["npz", "idx"])
def test_a_check_counts_what_is_there_twice(command, added, tmp_path, sound):
    arrays = duplicated()
    files = archive(npz_file(arrays)) if sound == "npz" else idx_files(arrays)
    own = added(place_of(Sound(sound, arrays, files), write(tmp_path / "own", files)))
    checked = check_images(own)
    assert checked.leaked == [1, 5]
    assert checked.near == [(6, 4)]
    code, said = command("data", "check", "some")
    assert code == 0
    assert "\n2 test images are among the training images, pixel by pixel.\n" in said
    assert "\n1 more are nearly the same as one: 6 (4), the training image" in said
    assert "\n2 training images are there more than once.\n" in said
    assert "\n1 images are there with several labels.\n" in said
    assert "5x4x1" in said
    for label in range(CLASSES):
        train, test = (int((arrays[f"{part}_labels"] == label).sum()) for part in COUNTS)
        assert re.search(rf"│ {label} +│ {train} +│ {test} +│", said)


def test_a_check_finds_nothing_where_there_is_nothing(command, zoo):
    command("data", "add", zoo, "--name", "zoo", "--test-fraction", FRACTION)
    _, said = command("data", "check", "zoo")
    assert said.count("\n0 ") == 4
    assert re.search("│ ant +│ 9 +│ 3 +│", said)


def test_a_copy_in_another_folder_is_found(command, tmp_path):
    for part in COUNTS:
        draw(tmp_path / "zoo" / part, 12 if part == "train" else 2)  # the first two of each
    picture(0, 99).save(tmp_path / "zoo" / "test" / "ant" / "0.png")
    command("data", "add", tmp_path / "zoo", "--name", "zoo")
    _, said = command("data", "check", "zoo")
    assert "\n5 test images are among the training images" in said


def test_the_digits_leak_nothing(command):
    code, said = command("data", "check", "digits")
    assert code == 0
    assert "\n0 test images are among the training images" in said


def test_a_check_draws_samples(command, zoo, tmp_path):
    command("data", "add", zoo, "--name", "zoo")
    code, said = command("data", "check", "zoo", "--samples", tmp_path / "samples.png")
    assert code == 0
    assert said.endswith(f"{tmp_path / 'samples.png'}\n")
    with Image.open(tmp_path / "samples.png") as image:
        assert np.asarray(image.convert("L")).std() > 10


def test_samples_in_no_folder_are_drawn_or_refused(command, zoo, tmp_path):
    command("data", "add", zoo, "--name", "zoo")
    path = tmp_path / "nowhere" / "samples.png"
    code, said = command("data", "check", "zoo", "--samples", path)
    assert code == 0, said
    assert path.exists()


@pytest.mark.parametrize("channels", [2, 4])
def test_images_of_any_number_of_channels_have_samples(command, tmp_path, channels):
    images = {key: np.stack([GREY[key]] * channels, axis=-1) for key in GREY if "images" in key}
    (tmp_path / "some.npz").write_bytes(npz_file(GREY | images))
    command("data", "add", tmp_path / "some.npz", "--name", "some")
    code, said = command("data", "check", "some", "--samples", tmp_path / "samples.png")
    assert code == 0, said
    pixels = prepare(composed("some"), "channels_first").some_pixels()
    np.testing.assert_array_equal(pixels, GREY["train_images"])


def test_a_check_of_nothing_is_refused(command):
    code, said = command("data", "check", "digit")
    assert code == 2
    assert "dataset=digit is unknown (did you mean digits" in sentence(said)


def test_a_check_says_what_contradicts_the_config(command, configs, zoo):
    command("data", "add", zoo, "--name", "zoo")
    path = configs / "zoo.yaml"
    path.write_text(path.read_text().replace("image_shape: [5, 4]", "image_shape: [4, 5]"))
    code, said = command("data", "check", "zoo")
    assert code == 2
    assert "train images are (5, 4) pixels, its config says image_shape: [4, 5]" in sentence(said)
