"""Correction of p values for how many there are."""

from collections.abc import Sequence

from statsmodels.stats.multitest import multipletests


def holm(p_values: Sequence[float | None], chosen_from: int = 0) -> list[float | None]:
    """Return the p values corrected over their family, None where there is none.

    Holm 1979, "A simple sequentially rejective multiple test procedure". Where these tests were
    chosen from more by what the runs had shown, ``chosen_from`` is how many those are: the others
    then count as tests that showed nothing, which corrects for the choice.
    """
    tested = [p for p in p_values if p is not None]
    if not tested:
        return [None] * len(p_values)
    others = [1.0] * (chosen_from - len(tested))
    capped = [min(p, 1.0) for p in tested]
    corrected = iter(multipletests([*capped, *others], method="holm")[1])
    return [None if p is None else float(next(corrected)) for p in p_values]
