"""Holm's correction of p values."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from sidebyside.analysis.multiplicity import holm


def test_it_steps_down():
    assert holm([0.01, None, 0.04, 0.03]) == pytest.approx([0.03, None, 0.06, 0.06])
    assert holm([None]) == [None]
    assert holm([]) == []


def test_tests_that_were_chosen_count_as_all_they_were_chosen_from():
    assert holm([0.01, 0.04], chosen_from=10) == pytest.approx([0.1, 0.36])
    assert holm([0.01, 0.04], chosen_from=1) == holm([0.01, 0.04])


@pytest.mark.slow
def test_it_is_that_of_statsmodels():
    p_values = np.random.default_rng(0).random(12) ** 4
    p_values[3] = p_values[7]
    assert holm(p_values.tolist()) == multipletests(p_values, method="holm")[1].tolist()
