"""What a report is of."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from sidebyside.analysis.analyse import Analysis
from sidebyside.analysis.published import Published


@dataclass(frozen=True)
class Comparison:
    """The report of a study.

    Attributes
    ----------
    folder : pathlib.Path
        Where it is.
    runs : pandas.DataFrame
        A row per run: key, variant, the factors, seed, test_error (percent), test_loss, ...
    variants : list of dict
        As in ``comparison.json``: n, test_error and test_loss with mean, sd, low and high.
    analysis : Analysis
        The statistics: effects, pairs, equivalence, power, ...
    statements : list of str
        The answer in sentences, the most important first.
    published : Published or None
        Published figures held against the runs, where they are runs of published recipes.
    """

    folder: Path
    runs: pd.DataFrame
    variants: list[dict[str, Any]]
    analysis: Analysis
    statements: list[str]
    published: Published | None
