"""Correction of p values for how many there are."""

from collections.abc import Sequence

from statsmodels.stats.multitest import multipletests


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return the p values corrected over their family, None where there is none.

    Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    tested = [p for p in p_values if p is not None]
    corrected = iter(multipletests(tested, method="holm")[1] if tested else [])
    return [None if p is None else float(next(corrected)) for p in p_values]
