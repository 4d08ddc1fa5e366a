"""What tells variants apart: their levels of the factors that vary, as columns."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sidebyside.config.factors import level_text
from sidebyside.report.page.matrix import without_shared
from sidebyside.storage.evidence import Evidence

_MOST_COLUMNS = 8  # factors with columns of their own in a table


@dataclass(frozen=True)
class Levels:
    """The levels of the variants of a study.

    Attributes
    ----------
    heads : list of str
        The factors that have several levels, and "protocol" where these don't say it.
    of : dict of list of str
        By variant, its levels of these.
    cells : dict of list of str
        The same without what all levels of a factor begin with.
    protocol_apart : bool
        Whether protocols differ, and the variants' names don't say so.
    """

    heads: list[str]
    of: dict[str, list[str]]
    cells: dict[str, list[str]]
    protocol_apart: bool

    @classmethod
    def of_variants(cls, evidence: Evidence, protocols: Mapping[str, str]) -> "Levels":
        """Return those of a study; ``protocols`` are those that variants follow."""
        names = _varied(evidence)
        of = {
            run.variant: [level_text(run.factors[name]) for name in names] for run in evidence.runs
        }
        protocol_apart = len(set(protocols.values())) > 1 and "protocol" not in names
        if protocol_apart:
            names = [*names, "protocol"]
            of = {variant: [*levels, protocols[variant]] for variant, levels in of.items()}
        columns = [without_shared(column) for column in zip(*of.values(), strict=True)]
        rows = zip(*columns, strict=True) if columns else ((),) * len(of)
        cells = {name: list(row) for name, row in zip(of, rows, strict=True)}
        return cls(names, of, cells, protocol_apart)

    def shown(self, variants: Iterable[str]) -> dict[str, list[str]]:
        """Return by head the levels that some variants have."""
        columns = zip(*(self.of[name] for name in variants), strict=True)
        return {h: list(dict.fromkeys(own)) for h, own in zip(self.heads, columns, strict=False)}

    @property
    def in_columns(self) -> bool:
        """Whether a table of variants has a column for each, in place of names."""
        return 0 < len(self.heads) <= _MOST_COLUMNS


def _varied(evidence: Evidence) -> list[str]:
    levels: dict[str, set[str]] = {name: set() for name in evidence.runs[0].factors}
    for run in evidence.runs:
        for name, level in run.factors.items():
            levels[name].add(level_text(level))
    return [name for name, several in levels.items() if len(several) > 1]
