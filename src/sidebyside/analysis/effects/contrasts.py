"""Which differences of levels are estimated: of factors, between factors, at each level."""

from collections.abc import Mapping, Sequence
from itertools import combinations, permutations, product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sidebyside.analysis.effects.model import Contrast
from sidebyside.config.factors import Level

Names = dict[str, Any]  # what an effect is of: fields of its dataclass
Family = list[tuple[Names, Contrast]]


def coded(
    runs: pd.DataFrame, factors: Sequence[str]
) -> tuple[dict[str, NDArray[np.intp]], dict[str, list[Level]]]:
    """Return the number of each run's level, and the levels, of the factors that vary."""
    codes, levels = {}, {}
    for factor in factors:
        code, met = pd.factorize(runs[factor], use_na_sentinel=False)
        if len(met) > 1:
            codes[factor], levels[factor] = code, [_plain(level) for level in met]
    return codes, levels


def _plain(level: Any) -> Level:
    if pd.isna(level):
        return None
    plain: Level = level.item() if isinstance(level, np.generic) else level
    return plain


def main_contrasts(levels: Mapping[str, Sequence[Level]]) -> Family:
    """Return each level's difference from the first."""
    return [
        (_apart(factor, own, number), [(1, {factor: number}), (-1, {factor: 0})])
        for factor, own in levels.items()
        for number in range(1, len(own))
    ]


def _apart(factor: str, levels: Sequence[Level], number: int) -> Names:
    return {"factor": factor, "level": levels[number], "reference": levels[0]}


def interaction_contrasts(levels: Mapping[str, Sequence[Level]]) -> Family:
    """Return the differences of differences."""
    return [
        (
            {
                "factors": [a, b],
                "levels": [levels[a][i], levels[b][j]],
                "references": [levels[a][0], levels[b][0]],
            },
            [(1, {a: i, b: j}), (-1, {a: i, b: 0}), (-1, {a: 0, b: j}), (1, {a: 0, b: 0})],
        )
        for a, b in combinations(levels, 2)
        for i, j in product(range(1, len(levels[a])), range(1, len(levels[b])))
    ]


def simple_contrasts(levels: Mapping[str, Sequence[Level]]) -> list[Family]:
    """Return, by difference of a factor and by other factor, a contrast per level of the other."""
    return [
        [
            (
                _apart(factor, levels[factor], number) | {"given": given, "at": at},
                [(1, {factor: number, given: place}), (-1, {factor: 0, given: place})],
            )
            for place, at in enumerate(levels[given])
        ]
        for factor, given in permutations(levels, 2)
        for number in range(1, len(levels[factor]))
    ]
