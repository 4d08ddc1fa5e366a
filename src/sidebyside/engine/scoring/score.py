"""The figures of a trained network on the test images."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from keras.activations import softmax
from numpy.typing import NDArray

from sidebyside.engine.recipe import Network
from sidebyside.engine.scoring.forward import Weights, forward
from sidebyside.engine.scoring.layout_check import LayoutCheck, check_layout

_LAYOUT_IMAGES = 250  # enough to tell a wrong layout from rounding
_SMALLEST = 1e-7  # as Keras clips probabilities before it takes their logarithm
_DECIMALS = 6  # of a figure; the last bits of a sum may differ between machines


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
        The network against itself in the other data format; None where that can't be computed.
    """

    probabilities: NDArray[np.float32]
    predicted: NDArray[np.uint8]
    confusion: NDArray[Any]
    test_error: float
    test_loss: float
    layout: LayoutCheck | None

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
            "error_per_class": [round(float(error), _DECIMALS) for error in per_class],
            "confusion": self.confusion.tolist(),
            "layout": asdict(self.layout) if self.layout else None,
        }


def score(
    network: Network, weights: Weights, images: NDArray[np.float32], target: NDArray[np.uint8]
) -> Scores:
    """Test a trained network, in a process whose determinism is fixed.

    Sums are in float64, so they don't depend on how the images were batched.

    Parameters
    ----------
    network : Network
    weights : sequence of ndarray
        Those of its layers, in order.
    images : ndarray of float32, shape (N, height, width, channels) or (N, channels, height, width)
    target : ndarray of uint8, shape (N,)
        The class of each image.
    """
    logits = forward(network).logits(weights, images)
    probabilities = np.asarray(softmax(logits))
    predicted = probabilities.argmax(axis=1)
    confusion = np.zeros((network.classes,) * 2, int)
    np.add.at(confusion, (target, predicted), 1)
    of_target = probabilities[np.arange(len(target)), target].astype(np.float64)
    loss = -np.log(np.clip(of_target, _SMALLEST, 1)).mean()
    tried = slice(_LAYOUT_IMAGES)
    return Scores(
        probabilities=probabilities,
        predicted=predicted.astype(np.uint8),
        confusion=confusion,
        test_error=round(100 * float((target != predicted).mean()), _DECIMALS),
        test_loss=round(float(loss), _DECIMALS),
        layout=check_layout(network, weights, images[tried], logits[tried]),
    )
