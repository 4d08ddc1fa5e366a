"""What a report is of."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from sidebyside.analysis.analyse import Analysis
from sidebyside.analysis.published.recipes import Published


@dataclass(frozen=True)
class Comparison:
    """The report of a study.

    Attributes
    ----------
    folder : pathlib.Path
        Where it is.
    runs : pandas.DataFrame
        A row per run: key, variant, the factors, seed, the value by the study's metric,
        test_error (percent), test_loss, ...
    content : dict
        What ``comparison.json`` holds.
    analysis : Analysis
        The statistics, the baseline and the protocols.
    published : Published or None
        Published figures held against the runs, where they are runs of published recipes.
    """

    folder: Path
    runs: pd.DataFrame
    content: dict[str, Any]
    analysis: Analysis
    published: Published | None

    @property
    def variants(self) -> pd.DataFrame:
        """A row per variant: name, n, test_error_mean or that of the metric, its low, ..."""
        return _table(self.content["variants"])

    @property
    def pairs(self) -> pd.DataFrame:
        """A row per pair of variants: a, b, n, difference_mean, p_holm, verdict, ..."""
        return _table(self.content["pairs"])

    @property
    def effects(self) -> pd.DataFrame:
        """A row per effect: kind (main, interactions, simple), difference, low, ..."""
        kinds = self.content["effects"].items()
        return _table([{"kind": kind} | effect for kind, effects in kinds for effect in effects])

    @property
    def statements(self) -> list[str]:
        """The answer in sentences, the most important first."""
        return list(self.content["statements"])


def _table(entries: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return entries as rows, what is nested in columns of its own."""
    return pd.json_normalize(list(entries), sep="_")
