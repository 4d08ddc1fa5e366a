"""Over images: what other images might have shown of the same networks."""

import time

import numpy as np
import pytest
from scipy import stats

from sidebyside.analysis.images import difference_over_images, error_over_images, mcnemar_p


def _wrong(shape, chance, seed):
    return np.random.default_rng(seed).random(shape) < chance


def test_one_run_has_wilsons_interval():
    wrong = np.arange(200)[None] < 30
    over_images = error_over_images(wrong)
    expected = stats.binomtest(30, 200).proportion_ci(method="wilson")
    assert over_images["mean"] == pytest.approx(15)
    assert (over_images["low"], over_images["high"]) == pytest.approx(
        (100 * expected.low, 100 * expected.high)
    )


def test_faultless_runs_are_not_certainly_faultless():
    over_images = error_over_images(np.zeros((3, 200), bool))
    assert (over_images["mean"], over_images["low"]) == pytest.approx((0, 0))
    assert 1 < over_images["high"] < 3


def test_the_bootstrap_is_that_of_images():
    wrong = _wrong((3, 1_500), 0.1, 0)
    expected = stats.bootstrap(
        (wrong.mean(axis=0),), np.mean, method="percentile", rng=np.random.default_rng(5)
    ).confidence_interval
    over_images = error_over_images(wrong)
    assert over_images["low"] == pytest.approx(100 * expected.low, abs=0.05)
    assert over_images["high"] == pytest.approx(100 * expected.high, abs=0.05)


@pytest.mark.parametrize("runs", [(1, 1), (3, 3), (2, 3)])
def test_sign_flips_are_scipys_permutation_test(runs):
    a, b = _wrong((runs[0], 12), 0.6, 1), _wrong((runs[1], 12), 0.3, 2)
    expected = stats.permutation_test(
        (a.mean(axis=0), b.mean(axis=0)),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    )
    over_images = difference_over_images(a, b)
    assert over_images["mean"] == pytest.approx(100 * expected.statistic)
    assert over_images["p"] == pytest.approx(expected.pvalue, abs=1e-9)


def test_over_images_is_the_same_each_time_and_quick():
    a, b = _wrong((3, 10_000), 0.02, 3), _wrong((3, 10_000), 0.02, 4)
    start = time.perf_counter()
    over_images = [error_over_images(a), difference_over_images(a, b)]
    assert time.perf_counter() - start < 0.6
    assert over_images == [error_over_images(a), difference_over_images(a, b)]


def test_equal_predictions_have_no_difference_over_images():
    wrong = _wrong((3, 500), 0.1, 0)
    assert difference_over_images(wrong, wrong) == {"mean": 0, "low": 0, "high": 0, "p": 1}


def test_mcnemar_is_exact_when_few_are_disputed():
    a, b = np.zeros(1_000, bool), np.zeros(1_000, bool)
    assert mcnemar_p(a, b) == 1
    a[:9], b[9:11] = True, True
    assert mcnemar_p(a, b) == pytest.approx(stats.binomtest(2, 11).pvalue, abs=1e-9)
    a[:40] = True
    a[9:11] = False
    corrected = (abs(38 - 2) - 1) ** 2 / 40
    assert mcnemar_p(a, b) == pytest.approx(stats.chi2.sf(corrected, 1), abs=1e-9)


@pytest.mark.parametrize("each", [12, 13, 500])
def test_as_many_images_on_either_side_are_no_difference(each):
    a, b = np.zeros(1_000, bool), np.zeros(1_000, bool)
    a[:each], b[-each:] = True, True
    assert mcnemar_p(a, b) == 1
