"""Paragraphs, tables, and sections that a reader opens when they are wanted, in Markdown."""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

_TAG = re.compile(r"<(?=[A-Za-z/!?])")  # where it begins
_HEAD = re.compile(r"^## (.+)$", re.MULTILINE)


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
    """Return a cell in which nothing ends a column or begins a tag of HTML."""
    text = f"**{cell.words}**{cell.rest}" if isinstance(cell, Strong) else cell
    return _TAG.sub("&lt;", text.replace("|", r"\|"))


def fold(title: str, text: str) -> str:
    """Return a text that is hidden behind its title, where Markdown is shown as HTML."""
    return (
        f"<details>\n<summary>{html.escape(title, quote=False)}</summary>\n\n{text}\n\n</details>"
    )


def fold_sections(text: str) -> list[str]:
    """Return a text with each of its sections folded; what stands above the first stays open."""
    opening, *parts = _HEAD.split(text)
    titled = zip(parts[::2], parts[1::2], strict=True)
    folded = [fold(title, body.strip()) for title, body in titled]
    return [opening.strip(), *folded] if opening.strip() else folded
