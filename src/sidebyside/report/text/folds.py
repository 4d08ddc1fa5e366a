"""Sections of Markdown that a reader opens when they are wanted."""

import html
import re

_HEAD = re.compile(r"^## (.+)$", re.MULTILINE)


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
