"""What a network's probabilities say of it."""

import numpy as np
import pytest

from sidebyside.config.validate import check
from sidebyside.engine.recipe import Network


def test_scores_count_what_is_wrong(compose):
    from sidebyside.engine.scoring.score import score

    flat = ("model.blocks=[{type:flatten}]", "model.dropout=null", "model.kernel_size=null")
    config = check(compose(*flat))
    # The first pixels of an image are the logarithms of its probabilities.
    weights = [np.eye(784, 10, dtype=np.float32), np.zeros(10, np.float32)]
    probabilities = np.array([[0.5, 0.3, 0.2], [0.25, 0.5, 0.25], [0.8, 0.1, 0.1], [0, 0, 1]])
    images = np.full((4, 784), -100, np.float32)
    images[:, :3] = np.log(np.maximum(probabilities, 1e-40))
    target = np.array([0, 1, 2, 2], np.uint8)
    network = Network(config.recipe(), (28, 28, 1), 10)
    scores = score(network, weights, images.reshape(4, 28, 28, 1), target)
    assert scores.predicted.tolist() == [0, 1, 0, 2]
    assert scores.test_error == 25
    assert scores.test_loss == pytest.approx(-np.log([0.5, 0.5, 0.1, 1]).mean(), abs=1e-6)
    assert scores.confusion[:3, :3].tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 1]]
    assert scores.confusion.sum() == 4
    assert scores.figures()["error_per_class"][:3] == [0, 0, 50]
    np.testing.assert_allclose(scores.probabilities[:, :3], probabilities, atol=1e-6)
