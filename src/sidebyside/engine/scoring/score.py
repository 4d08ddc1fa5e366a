"""The figures of a trained network on the test images."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidebyside.data.arrays import ProcessedArrays
from sidebyside.engine.scoring.layout_check import LayoutCheck, check_layout
from sidebyside.engine.scoring.saved_model import read_network
from sidebyside.engine.training import determinism
from sidebyside.engine.training.batches import Batches

_BATCH_SIZE = 500
_LAYOUT_IMAGES = 1000  # enough to tell a wrong layout from rounding
_SMALLEST = 1e-7  # as Keras clips probabilities before it takes their logarithm


@dataclass(frozen=True)
class Scores:
    """Predictions and what follows from them.

    Attributes
    ----------
    probabilities : ndarray of float32, shape (N, classes)
    predicted : ndarray of uint8, shape (N,)
        The class with the highest probability.
    confusion : ndarray of int, shape (classes, classes)
        Images by target (row) and predicted class (column).
    test_error : float
        Wrong predictions, percent of all.
    test_loss : float
        Mean categorical cross-entropy, in nats.
    layout : LayoutCheck or None
        The network against itself in the other data format, where that was tried.
    """

    probabilities: NDArray[np.float32]
    predicted: NDArray[np.uint8]
    confusion: NDArray[Any]
    test_error: float
    test_loss: float
    layout: LayoutCheck | None = None

    def figures(self) -> dict[str, Any]:
        """Return the scores as JSON types, error per class in percent of its images."""
        images = self.confusion.sum(axis=1)
        wrong = images - np.diag(self.confusion)
        per_class = 100 * wrong / np.maximum(images, 1)
        return {
            "images": int(images.sum()),
            "wrong": int(wrong.sum()),
            "test_error": self.test_error,
            "test_loss": self.test_loss,
            "error_per_class": [round(float(error), 6) for error in per_class],
            "confusion": self.confusion.tolist(),
            "layout": self.layout.as_json() if self.layout else None,
        }


def score(folder: Path, arrays: ProcessedArrays, recipe: dict[str, Any]) -> Scores:
    """Load the network in ``folder``, whose files are verified, and test it."""
    determinism.fix(recipe["threads"])
    network = read_network(folder)
    labels = np.asarray(arrays.read("test_labels"))
    scores = scores_of(predict_test_images(network, arrays), labels)
    images = arrays.read("test_images")[:_LAYOUT_IMAGES]
    return replace(scores, layout=check_layout(network, recipe, images))


def predict_test_images(network: Any, arrays: ProcessedArrays) -> NDArray[np.float32]:
    """Return a network's probabilities for the test images, shape (N, classes)."""
    images, labels = arrays.read("test_images"), arrays.read("test_labels")
    everything = Batches(images, labels, np.arange(len(images)), _BATCH_SIZE)
    probabilities: NDArray[np.float32] = network.predict(everything, verbose=0)
    return probabilities


def scores_of(probabilities: NDArray[np.float32], labels: NDArray[np.float32]) -> Scores:
    """Return the scores of predicted ``probabilities`` against one-hot ``labels``.

    Both have shape (N, classes). Sums are in float64, so they don't depend on how the images were
    batched.
    """
    target, predicted = labels.argmax(axis=1), probabilities.argmax(axis=1)
    confusion = np.zeros((labels.shape[1],) * 2, int)
    np.add.at(confusion, (target, predicted), 1)
    of_target = probabilities[np.arange(len(target)), target].astype(np.float64)
    loss = -np.log(np.clip(of_target, _SMALLEST, 1)).mean()
    return Scores(
        probabilities=probabilities,
        predicted=predicted.astype(np.uint8),
        confusion=confusion,
        test_error=round(100 * float((target != predicted).mean()), 6),
        test_loss=round(float(loss), 6),
    )
