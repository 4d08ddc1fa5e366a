"""Correction of p values for how many there are."""

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float | None], chosen_from: int = 0) -> list[float | None]:
    """Return the p values corrected over their family, None where there is none.

    Holm 1979, "A simple sequentially rejective multiple test procedure": the smallest counts as
    often as there are tests, the next once less and so on, none less than one before. Where these
    tests were chosen from more by what the runs had shown, ``chosen_from`` is how many those are:
    the others then count as tests that showed nothing, which corrects for the choice.
    """
    # Not statsmodels' multipletests, which collects all of Python's garbage at each call.
    tested = np.array([p for p in p_values if p is not None], float)
    order = np.argsort(tested)
    steps = max(chosen_from, len(tested)) - np.arange(len(tested))
    corrected = np.empty_like(tested)
    corrected[order] = np.minimum(np.maximum.accumulate(tested[order] * steps), 1.0)
    of_tested = iter(corrected.tolist())
    return [None if p is None else next(of_tested) for p in p_values]
