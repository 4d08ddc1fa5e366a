"""Figures and pictures of a comparison."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sidebyside.analysis.intervals import interval
from sidebyside.engine.scoring.score import scores_of
from sidebyside.report.pictures import draw_confusion, draw_errors


def test_the_interval_is_students():
    values = [1.0, 1.3, 0.8, 1.1]
    found = interval(values)
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert found == pytest.approx(
        {"mean": 1.05, "sd": np.std(values, ddof=1), "low": low, "high": high}
    )


def test_one_run_has_no_interval():
    assert interval([2.5]) == {"mean": 2.5, "sd": None, "low": None, "high": None}


def test_scores_count_what_is_wrong():
    labels = np.eye(3, dtype=np.float32)[[0, 1, 2, 2]]
    probabilities = np.array(
        [[0.5, 0.3, 0.2], [0.25, 0.5, 0.25], [0.8, 0.1, 0.1], [0, 0, 1]], np.float32
    )
    scores = scores_of(probabilities, labels)
    assert scores.predicted.tolist() == [0, 1, 0, 2]
    assert scores.test_error == 25
    assert scores.test_loss == pytest.approx(-np.log([0.5, 0.5, 0.1, 1]).mean(), abs=1e-6)
    assert scores.confusion.tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 1]]
    assert scores.figures()["error_per_class"] == [0, 0, 50]


def test_pictures_of_the_same_data_are_the_same_bytes(tmp_path):
    runs = pd.DataFrame({"variant": ["a", "a", "b", "b"], "test_error": [1.0, 2.0, 3.0, 5.0]})
    variants = [
        {
            "name": name,
            "factors": {"dropout": name == "a"},
            "protocol": "clean",
            "test_error": interval(values),
            "seeds_and_images": {"low": 0.5, "high": 4.0},
        }
        for name, values in (("a", [1.0, 2.0]), ("b", [3.0, 5.0]))
    ]
    pictures = []
    for number in range(2):
        paths = tmp_path / f"errors{number}.png", tmp_path / f"confusion{number}.png"
        draw_errors(runs, variants, "a title", paths[0])
        draw_confusion([[5, 1], [0, 7]], "a title", paths[1])
        pictures.append([path.read_bytes() for path in paths])
    assert pictures[0] == pictures[1]
