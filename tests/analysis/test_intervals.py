"""Intervals over seeds, and for new seeds and images together."""

import numpy as np
import pytest
from scipy import stats

from sidebyside.analysis.intervals import (
    clipped,
    difference,
    interval,
    mean_estimate,
    new_seeds_and_images,
    rounding_variance,
)
from sidebyside.analysis.looks import looks_up_to

VALUES = [1.0, 1.2, 0.9, 1.3]


def test_an_interval_over_seeds_is_students():
    estimate = interval(VALUES)
    expected = stats.ttest_1samp(VALUES, 0).confidence_interval()
    assert (estimate["low"], estimate["high"]) == pytest.approx((expected.low, expected.high))
    assert estimate["sd"] == pytest.approx(np.std(VALUES, ddof=1))
    assert interval([1.0]) == {"mean": 1.0, "sd": None, "low": None, "high": None}


def test_whole_images_leave_equal_errors_in_doubt():
    least = rounding_variance(1000)
    assert least == pytest.approx(0.1**2 / 12)
    assert rounding_variance(1000, errors=2) == pytest.approx(0.1**2 / 6)
    estimate = interval([1.5, 1.5, 1.5], least)
    half = stats.t.ppf(0.975, 2) * np.sqrt(least / 3)
    assert (estimate["low"], estimate["high"]) == pytest.approx((1.5 - half, 1.5 + half))
    assert interval(VALUES, least) == interval(VALUES)


def test_an_error_is_neither_below_0_nor_above_100():
    assert clipped({"mean": 1, "low": -3, "high": 104}) == {"mean": 1, "low": 0, "high": 100}
    assert clipped({"mean": 1, "low": None, "high": None})["low"] is None


def test_a_difference_of_samples_is_welchs():
    other = [1.5, 1.6, 1.4]
    expected = stats.ttest_ind(VALUES, other, equal_var=False).confidence_interval()
    estimate = difference(VALUES, other)
    assert (estimate["low"], estimate["high"]) == pytest.approx((expected.low, expected.high))
    assert difference(VALUES, [1.5]) == {"mean": pytest.approx(-0.4), "low": None, "high": None}
    agreeing = difference([1.0, 1.0], [1.2, 1.2], rounding_variance(100))
    assert agreeing["low"] < -0.2 < agreeing["high"]


def test_p_values_are_those_of_t_tests():
    estimate = mean_estimate(VALUES)
    assert estimate.p == pytest.approx(stats.ttest_1samp(VALUES, 0).pvalue)
    inside = stats.ttest_1samp(VALUES, 1.4, alternative="less").pvalue
    assert estimate.p_within(1.4) == pytest.approx(inside)
    assert mean_estimate([0.0, 0.0]).p == 1
    assert mean_estimate([0.0, 0.0]).p_within(0.1) == 0


def test_new_seeds_and_images_add_their_variances():
    generator = np.random.default_rng(0)
    chance = generator.beta(0.2, 0.8, 400)  # of an image: some are hard for all runs
    wrong = generator.random((5, 400)) < chance
    values = 100.0 * wrong
    # By hand, a two-way table of one value per cell.
    n, images = values.shape
    mean = values.mean()
    ms_seeds = images * ((values.mean(axis=1) - mean) ** 2).sum() / (n - 1)
    ms_images = n * ((values.mean(axis=0) - mean) ** 2).sum() / (images - 1)
    total = ((values - mean) ** 2).sum()
    ms_rest = total - (n - 1) * ms_seeds - (images - 1) * ms_images
    ms_rest /= (n - 1) * (images - 1)
    estimate = new_seeds_and_images(values)
    assert estimate.variance == pytest.approx((ms_seeds + ms_images - ms_rest) / (n * images))
    parts = ms_seeds**2 / (n - 1) + ms_images**2 / (images - 1)
    parts += ms_rest**2 / ((n - 1) * (images - 1))
    assert estimate.freedom == pytest.approx((ms_seeds + ms_images - ms_rest) ** 2 / parts)
    assert new_seeds_and_images(values[:1]) is None


def test_new_images_never_make_an_interval_narrower():
    wrong = np.zeros((2, 400), bool)
    wrong[0, :60], wrong[1, :20] = True, True
    estimate, over_seeds = new_seeds_and_images(100.0 * wrong).ends(), interval([15.0, 5.0])
    assert estimate == pytest.approx((over_seeds["low"], over_seeds["high"]))


def test_new_images_never_make_an_interval_of_mirrored_runs_narrower():
    apart = np.zeros((2, 200))
    apart[0, :3], apart[0, 3:5] = 100, -100
    apart[1] = -apart[0]
    low, high = new_seeds_and_images(apart).ends()
    over_seeds = interval([0.5, -0.5])
    assert (low, high) == pytest.approx((over_seeds["low"], over_seeds["high"]))


def test_a_skewed_difference_has_the_same_interval_either_way_round():
    generator = np.random.default_rng(0)
    apart = generator.lognormal(0, 3, (3, 400)) - generator.lognormal(0, 2, (3, 400))
    low, high = new_seeds_and_images(apart, skewed=True).ends()
    assert new_seeds_and_images(-apart, skewed=True).ends() == pytest.approx((-high, -low))
    over_seeds = interval(apart.mean(axis=1).tolist())
    assert low <= over_seeds["low"] <= over_seeds["high"] <= high


def test_new_images_never_make_an_interval_of_a_look_narrower():
    generator = np.random.default_rng(1)
    confidence = looks_up_to(13).confidence(3)
    for _ in range(30):
        values = 100.0 * (generator.random((3, 1000)) < 0.05)
        low, high = new_seeds_and_images(values).ends(confidence)
        over_seeds = interval(values.mean(axis=1).tolist(), confidence=confidence)
        assert high - low >= over_seeds["high"] - over_seeds["low"] - 1e-9


def test_the_best_variant_of_the_committed_factorial(committed_factorial):
    evidence = committed_factorial
    name = "kernel_size=5,dropout=true,optimizer=adam,data_format=channels_last"
    wrong = np.stack([run.predicted != evidence.target for run in evidence.of_variant(name)])
    low, high = new_seeds_and_images(100.0 * wrong).ends()
    assert (round(low, 2), round(high, 2)) == (0.64, 0.94)
