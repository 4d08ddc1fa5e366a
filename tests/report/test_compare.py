"""Figures of a comparison."""

import numpy as np
import pytest
from scipy import stats

from sidebyside.analysis.intervals import interval


def test_the_interval_is_students():
    values = [1.0, 1.3, 0.8, 1.1]
    ends = interval(values)
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert ends == pytest.approx(
        {"mean": 1.05, "sd": np.std(values, ddof=1), "low": low, "high": high}
    )


def test_one_run_has_no_interval():
    assert interval([2.5]) == {"mean": 2.5, "sd": None, "low": None, "high": None}
