"""Verdicts on published figures."""

import numpy as np
import pytest
from scipy import stats

from sidebyside.analysis.multiplicity import holm
from sidebyside.analysis.published.verdicts import (
    BETTER,
    DIFFERS,
    REPRODUCED,
    WORSE,
    judge,
    moderated_variances,
    predictions,
)

VARIANCES = [1.0, 4.0, 9.0, 0.25, 30.0]


def test_variances_are_drawn_towards_the_pooled_one():
    moderated, freedoms = moderated_variances(VARIANCES, [4] * 5)
    pooled = np.mean(VARIANCES)
    for own, drawn in zip(VARIANCES, moderated, strict=True):
        assert min(own, pooled) < drawn < max(own, pooled)
    prior = freedoms[0] - 4
    # The defining equation of the prior's degrees of freedom (Smyth 2004, section 6.2).
    spread = np.var(np.log(VARIANCES), ddof=1)
    assert stats.loggamma(prior / 2).var() == pytest.approx(spread - stats.loggamma(2).var())
    assert moderated[0] == pytest.approx((prior * pooled + 4 * 1.0) / (prior + 4))


def test_variances_that_differ_no_more_than_chance_are_one():
    moderated, freedoms = moderated_variances([1.0, 1.1, 0.9], [4, 4, 2])
    assert moderated == pytest.approx([np.average([1.0, 1.1, 0.9], weights=[4, 4, 2])] * 3)
    assert freedoms == [10] * 3
    assert moderated_variances([2.0], [3]) == ([2.0], [3.0])


def test_one_sample_alone_has_students_prediction_interval():
    values = [1.0, 1.2, 0.9]
    (found,) = predictions([values])
    half = stats.t.ppf(0.975, 2) * np.std(values, ddof=1) * np.sqrt(1 + 1 / 3)
    assert found.ends() == pytest.approx((np.mean(values) - half, np.mean(values) + half))
    assert predictions([[1.0], values])[0] is None
    assert predictions([[1.0, 1.0], [2.0, 2.0]])[1].variance == 0


def runs(mean, sd=0.05):
    return (mean + sd * np.array([-1.2, 0.4, 0.8, -0.5, 0.5])).tolist()


def test_a_figure_is_reproduced_better_worse_or_open():
    readings = [[runs(1.0)], [runs(1.0)], [runs(1.0)], [runs(1.0, sd=0.06)]]
    found = judge([1.02, 0.5, 1.5, 1.0], readings, 0.4)
    assert [reading.verdict for reading in found] == [REPRODUCED, BETTER, WORSE, REPRODUCED]
    narrow = judge([1.02, 0.5, 1.5, 1.0], readings, 0.1)
    assert [reading.verdict for reading in narrow] == ["can't tell", BETTER, WORSE, "can't tell"]
    assert judge([1.0], [[[1.0]]], 0.4)[0].verdict == "can't tell"


def test_no_interval_wider_than_the_tolerance_reproduces():
    wide = [[runs(1.0, sd=0.12)] for _ in range(12)]
    found = judge([1.0] * 12, wide, 0.4)
    low, high = predictions([wide[0][0]] * 12)[0].ends()
    assert high - low > 0.4
    assert {reading.verdict for reading in found} == {"can't tell"}


def test_the_width_is_that_of_the_reading_which_is_shown():
    few, many = [1.0, 1.6], [1.33, 1.34, 1.33, 1.34, 1.335]
    (found,) = judge([1.3], [[few, many]], 0.4)
    assert found.p_within_holm < 0.05
    assert (found.verdict, found.nearest) == (REPRODUCED, 0)


def test_verdicts_are_corrected_over_recipes():
    figures = [1.0, 1.1, 1.18]
    together = judge(figures, [[runs(1.0)]] * 3, 0.4)
    # The three vary alike, so they share one variance with the freedom of all.
    p_values = [
        2 * stats.t.sf(abs(figure - 1.0) / predictions([runs(1.0)] * 3)[0].error, 12)
        for figure in figures
    ]
    assert [reading.p_holm for reading in together] == pytest.approx(holm(p_values))


def test_a_reading_that_was_run_once_contradicts_nothing_alone():
    (found,) = judge([1.2], [[runs(0.8), [1.2]]], 0.4)
    assert (found.verdict, found.nearest, found.p_holm) == ("can't tell", 1, None)


def test_a_figure_between_its_readings_is_neither_better_nor_worse():
    (found,) = judge([1.0], [[runs(0.8, sd=0.01), runs(1.2, sd=0.01)]], 0.1)
    assert found.verdict == DIFFERS


def test_all_readings_have_to_contradict_and_the_choice_of_one_costs():
    reading = judge([1.5], [[runs(1.0), runs(1.0)]], 0.4)[0]
    assert (reading.verdict, reading.nearest) == (WORSE, 0)
    two = judge([1.5], [[runs(1.0), runs(1.48)]], 0.4)[0]
    assert (two.verdict, two.nearest) == (REPRODUCED, 1)
    pooled = judge([1.48], [[runs(1.48), runs(1.48)]], 0.4)[0].p_within_holm
    single = predictions([runs(1.48), runs(1.48)])[0]
    assert pooled == pytest.approx(2 * stats.t.sf(0.4 / single.error, single.freedom))
