"""Paragraphs and tables in Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Strong:
    """A cell that begins with the words that matter, in bold where there is bold."""

    words: str
    rest: str = ""

    def __str__(self) -> str:
        return self.words + self.rest


Row = dict[str, str | Strong]


def paragraph(text: str) -> str:
    """Return an indented text as one line."""
    return " ".join(text.split())


def table(rows: Sequence[Mapping[str, str | Strong]]) -> str:
    """Return rows, which all have the same columns, as a Markdown table."""
    written = [{name: _markdown(cell) for name, cell in row.items()} for row in rows]
    markdown: str = pd.DataFrame(written).to_markdown(index=False, disable_numparse=True)
    return markdown


def _markdown(cell: str | Strong) -> str:
    return f"**{cell.words}**{cell.rest}" if isinstance(cell, Strong) else cell
