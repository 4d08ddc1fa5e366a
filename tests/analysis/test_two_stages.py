"""Stein's two stages: as many seeds as a width takes."""

import numpy as np
import pytest
from scipy import stats

from sidebyside.analysis.two_stages import seeds_needed, two_stage_estimate

FIRST = [1.0, 1.1, 0.9, 1.05, 0.95]


def test_the_first_stage_says_how_many():
    t, variance = stats.t.ppf(0.975, 4), np.var(FIRST, ddof=1)
    assert seeds_needed(FIRST, 0.05) == int(np.ceil(t**2 * variance / 0.05**2)) == 20
    assert seeds_needed(FIRST, 10) == 5
    assert seeds_needed([1.0] * 5, 0.1, least_variance=0.01) == 8  # as counting images may hide


def test_the_interval_takes_its_width_from_the_first_stage():
    more = [*FIRST, 1.3, 0.7, 1.2, 0.8]
    estimate = two_stage_estimate(more)
    low, high = estimate.ends()
    assert estimate.mean == pytest.approx(np.mean(more))
    half = stats.t.ppf(0.975, 4) * np.std(FIRST, ddof=1) / 3
    assert (high - low) / 2 == pytest.approx(half)
    assert two_stage_estimate(FIRST[:4]) is None
