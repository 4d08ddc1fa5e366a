"""Equivalence: shown, not just no difference seen."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

from sidebyside.analysis.equivalence import compare_levels, corrected, tost
from sidebyside.analysis.intervals import rounding_variance


def test_tost_is_that_of_statsmodels():
    a, b = np.random.default_rng(0).normal(2, 0.1, (2, 6))
    result = tost(list(a - b), 0.3)
    assert result.p == pytest.approx(ttost_paired(a, b, -0.3, 0.3)[0], abs=1e-9)
    half = stats.t.ppf(0.95, 5) * (a - b).std(ddof=1) / np.sqrt(6)
    assert result.low == pytest.approx((a - b).mean() - half, abs=1e-9)
    assert result.equivalent == (max(-result.low, result.high) < 0.3)


def test_equal_differences_are_no_surer_than_whole_images_allow():
    least = rounding_variance(1000, errors=2)
    result = tost([0.1, 0.1, 0.1], 0.2, least)
    assert result.low < 0.1 < result.high
    assert 0 < result.p < 0.05
    assert not tost([0.1, 0.1, 0.1], 0.2, rounding_variance(100, errors=2)).equivalent


def test_equal_levels_are_no_surer_than_whole_images_allow():
    runs, least = grid(), rounding_variance(1000)
    runs["test_value"] = 10.0 * runs["a"].isna()
    found = compare_levels(runs, "a", (0.5, None), 20, least).test  # two pairs a seed
    half = stats.t.ppf(0.95, 2) * np.sqrt(2 * least / 2 / 3)
    assert (found.low, found.high) == pytest.approx((10 - half, 10 + half))


def test_tost_without_pairs():
    assert (tost([0.0], 0.1).p, tost([0.0], 0.1).equivalent) == (None, False)
    assert tost([], 0.1).difference is None
    with pytest.raises(ValueError, match="above 0"):
        tost([0.0, 0.1], 0)


def grid(seeds=range(3)):
    return pd.DataFrame(
        [
            {
                "a": a,
                "b": b,
                "seed": seed,
                "test_value": 10.0 * (a is None) + 3 * seed + b + 0.1 * seed * (a is None),
                "weights": f"{a}{b}{seed}",
            }
            for a, b, seed in product([None, 0.5, 0.7], [1, 2], seeds)
        ]
    )


def test_differences_are_of_runs_equal_in_all_else_and_averaged_by_seed():
    result = compare_levels(grid(), "a", (0.5, None), 20)
    assert (result.pairs, result.identical, result.test.n) == (6, 0, 3)
    expected = tost([10.0, 10.1, 10.2], 20)
    assert result.test.difference == pytest.approx(expected.difference)
    assert (result.test.low, result.test.p) == pytest.approx((expected.low, expected.p))
    assert compare_levels(grid().drop(index=0), "a", (0.5, None), 20).pairs == 5
    with pytest.raises(ValueError, match="name all factors"):
        compare_levels(grid().drop(columns="b"), "a", (0.5, 0.7), 1)


def test_identical_pairs_are_counted_apart():
    runs = grid()
    same = runs["b"] == 2
    runs.loc[same, "weights"] = "one network"
    result = compare_levels(runs, "a", (0.5, None), 20)
    assert (result.pairs, result.identical, result.test.n) == (6, 3, 3)
    runs["weights"] = "one network"
    result = compare_levels(runs, "a", (0.5, None), 20)
    assert (result.equivalent, result.all_identical, result.test.n) == (True, True, 0)
    assert result.as_json()["equivalent"]


def test_several_tests_are_corrected():
    tests = [compare_levels(grid(), "a", (0.5, None), margin) for margin in (10.6, 20)]
    first, second = corrected(tests)
    assert second.test.p_holm == pytest.approx(2 * second.test.p)
    assert first.test.p_holm == pytest.approx(first.test.p)
