"""Which averages a study's variants tell at all, however many seeds they get."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sidebyside.analysis.effects.contrasts import coded, main_contrasts
from sidebyside.analysis.effects.model import model_of
from sidebyside.config.factors import Level


def untold(variants: Sequence[Mapping[str, Level]]) -> list[str]:
    """Return the factors of which a level can't be compared with the first on average.

    Combinations of levels are missing that the average is over.

    Parameters
    ----------
    variants : sequence of mapping
        Each the same factors with their levels.
    """
    twice = [dict(levels) for levels in variants for _ in range(2)]
    codes, levels = coded(pd.DataFrame(twice, dtype=object), list(variants[0]))
    model = model_of(codes, np.tile([0, 1], len(variants)))
    unknown = [
        str(names["factor"])
        for names, contrast in main_contrasts(levels)
        if model.row(contrast) is None
    ]
    return list(dict.fromkeys(unknown))
