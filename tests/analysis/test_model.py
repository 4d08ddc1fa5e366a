"""The linear model of factors and seeds, and its cluster-robust variances."""

import numpy as np
import pytest
from scipy import stats

from sidebyside.analysis.effects.cluster_robust import cr2
from sidebyside.analysis.effects.model import model_of


def full(levels, seeds):
    """Return the levels' numbers of a full design, and the seeds, a run per cell and seed."""
    grid = np.indices((*levels.values(), seeds)).reshape(len(levels) + 1, -1)
    return dict(zip(levels, grid, strict=False)), grid[-1]


def test_a_contrast_is_a_difference_of_means_of_cells():
    codes, seeds = full({"a": 3, "b": 2}, seeds=4)
    model = model_of(codes, seeds)
    assert model.count == 4
    assert np.linalg.matrix_rank(model.matrix) == model.matrix.shape[1] == 6 + 3
    weights = model.row([(1, {"a": 2}), (-1, {"a": 0})]) @ np.linalg.pinv(model.matrix)
    assert weights == pytest.approx(((codes["a"] == 2) * 1.0 - (codes["a"] == 0)) / 8)
    at_b = model.row([(1, {"a": 1, "b": 1}), (-1, {"a": 0, "b": 1})])
    expected = (codes["b"] == 1) * ((codes["a"] == 1) * 1.0 - (codes["a"] == 0)) / 4
    assert at_b @ np.linalg.pinv(model.matrix) == pytest.approx(expected)


def test_what_the_design_can_not_tell_apart_has_no_row():
    codes, seeds = full({"a": 2, "c": 2}, seeds=3)
    model = model_of({"a": codes["a"], "b": codes["a"], "c": codes["c"]}, seeds)
    assert model.row([(1, {"a": 1}), (-1, {"a": 0})]) is None
    assert model.row([(1, {"c": 1}), (-1, {"c": 0})]) is not None
    assert ("c",) in model.terms
    assert {("a",), ("b",)} < {*model.left_out}


def test_no_interaction_is_told_of_factors_that_are_not():
    """Of one that is nested in another, the product would pass for something of its own."""
    seeds = np.tile(np.arange(6), 3)
    codes = {"a": np.repeat([0, 0, 1], 6), "b": np.repeat([0, 1, 2], 6)}
    model = model_of(codes, seeds)
    assert {("a",), ("b",), ("a", "b")} == {*model.left_out}
    assert model.row([(1, {"a": 1, "b": 2}), (-1, {"a": 0, "b": 0})]) is None


def test_three_factors_interact_only_where_each_cell_was_run_again():
    levels = {"a": 2, "b": 2, "c": 2}
    assert ("a", "b", "c") in model_of(*full(levels, seeds=2)).terms
    once = model_of(*full(levels, seeds=1))
    assert ("a", "b", "c") not in [*once.terms, *once.left_out]


def test_cr2_of_a_mean_by_cluster_is_students_of_the_clusters():
    clusters = np.repeat(np.arange(5), 4)
    values = np.random.default_rng(0).normal(size=20)
    means = values.reshape(5, 4).mean(axis=1)
    (variance,), (freedom,), _ = cr2(
        np.ones((20, 1)), values - values.mean(), clusters, np.ones((1, 1))
    )
    assert variance == pytest.approx(stats.sem(means) ** 2)
    assert freedom == pytest.approx(4)


def test_what_one_cluster_alone_determines_has_no_variance():
    model = np.column_stack([np.ones(4), [0, 0, 0, 1]])
    values = np.array([1.0, 2.0, 3.0, 9.0])
    residuals = values - model @ (np.linalg.pinv(model) @ values)
    variance, freedom, _ = cr2(model, residuals, np.array([0, 0, 1, 2]), np.eye(2))
    assert np.isfinite(variance[0])
    assert np.isnan(variance[1])
    assert np.isnan(freedom[1])
