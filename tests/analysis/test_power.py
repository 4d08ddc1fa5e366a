"""What a study can show, by the test of its verdicts."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from sidebyside.analysis.power import (
    difference_sd,
    more_pairs,
    pairs_needed,
    power,
    rows_in_common,
    smallest_difference,
)


def test_the_sd_is_the_root_mean_square_over_all_pairs():
    errors = np.random.default_rng(0).normal(2, 0.1, (4, 5)) + np.arange(5)
    sd, _, _ = difference_sd(errors)
    of_pairs = [np.var(errors[i] - errors[j], ddof=1) for i in range(4) for j in range(i)]
    assert sd == pytest.approx(np.sqrt(np.mean(of_pairs)))
    assert difference_sd(errors[:1]) == (None, None, None)
    assert difference_sd(np.zeros((3, 3))) == (0.0, None, None)


def test_the_interval_of_the_sd_of_two_variants_is_chi_squareds():
    sd, low, high = difference_sd(np.random.default_rng(0).normal(2, 0.1, (2, 6)))
    assert low == pytest.approx(sd * np.sqrt(5 / stats.chi2.ppf(0.975, 5)))
    fewer = 0.89 * 5  # simulation's, of which the upper end takes account
    assert high == pytest.approx(sd * np.sqrt(fewer / stats.chi2.ppf(0.025, fewer)))


def test_the_smallest_difference_has_a_power_of_80_percent():
    # With 66 pairs and 5 seeds statsmodels has a number, with fewer seeds it hasn't.
    shown = smallest_difference(0.1, 5, 0.05 / 66)
    assert TTestPower().power(shown / 0.1, 5, alpha=0.05 / 66) == pytest.approx(0.8, abs=1e-3)
    critical = stats.t.isf(0.05 / 66 / 2, 2)
    far = smallest_difference(0.1, 3, 0.05 / 66)
    assert stats.nct.sf(critical, 2, far / 0.1 * np.sqrt(3)) == pytest.approx(0.8, abs=1e-6)
    assert smallest_difference(0.1, 2) is None
    assert smallest_difference(0, 3) == 0


def test_needed_pairs_and_smallest_difference_belong_together():
    for n in (3, 5, 40):
        smallest = smallest_difference(0.1, n, 0.01)
        assert pairs_needed(0.1, smallest * 1.001, 0.01) == n
        assert pairs_needed(0.1, smallest * 0.999, 0.01) == n + 1


def test_extremes():
    assert pairs_needed(0.1, 100) == 3
    assert pairs_needed(0.1, 0) is None
    assert pairs_needed(0, 0.1) == 3
    assert pairs_needed(1, 0.001) is None
    assert more_pairs(0.1, 0.1, 3, 0.05) == pairs_needed(0.1, 0.1) - 3
    assert more_pairs(0.001, 0.1, 3, 0.05) is None


def test_power_speaks_of_the_margin_and_counts_all_pairs():
    errors = np.random.default_rng(1).normal(2, 0.1, (4, 5))
    shown = power(errors, 6, 0.5)
    assert list(shown.seeds_for) == ["0.5", "0.25"]
    assert shown.seeds_for["0.5"] == pairs_needed(shown.sd, 0.5, 0.05 / 6)
    assert shown.smallest_difference == smallest_difference(shown.sd, 5, 0.05 / 6)
    assert power(errors, 66, 0.5).smallest_difference > shown.smallest_difference
    alone = power(errors[:, :1], 6, 0.1)
    assert (alone.sd, alone.n, alone.smallest_difference) == (None, 1, None)


def test_power_has_the_least_variance_of_the_verdicts():
    errors = np.array([[1.0, 1.1, 1.2], [1.5, 1.6, 1.7]])  # of which no difference differs
    (alike, least) = (power(errors, 1, 0.1), power(errors, 1, 0.1, least_variance=0.02))
    assert (alike.sd, alike.smallest_difference) == (0.0, 0.0)
    assert least.sd == pytest.approx(0.2)
    assert least.smallest_difference == smallest_difference(0.2, 3)


def test_only_common_seeds_count():
    rows = rows_in_common([[1.0, 2.0, 3.0], [5.0, 4.0]], [[0, 1, 2], [2, 1]])
    assert rows.tolist() == [[2.0, 3.0], [4.0, 5.0]]
