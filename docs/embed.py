"""Put generated files into the documents that show them: python docs/embed.py.

Whatever stands between ``<!-- embed PATH -->`` and ``<!-- end -->`` in a document becomes the
content of PATH, which is given from the project's root; with ``<!-- embed PATH first 3 items -->``
the first three items of its lists. Within a line, ``<!-- embed PATH item WORDS -->`` begins what
becomes the first sentence of the first item that begins with these words.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_BLOCK = re.compile(
    r"(<!-- embed (?P<path>\S+)(?: first (?P<items>\d+) items)? -->\n).*?(<!-- end -->)", re.DOTALL
)
_INLINE = re.compile(r"(<!-- embed (?P<path>\S+) item (?P<words>[^>]+) -->).*?(<!-- end -->)")


def embed(text: str) -> str:
    """Return a document with the current content of the files that it shows."""
    text = _INLINE.sub(lambda inline: f"{inline[1]}{_item(inline)}{inline[4]}", text)
    return _BLOCK.sub(lambda block: f"{block[1]}\n{_content(block)}\n{block[4]}", text)


def _content(block: re.Match[str]) -> str:
    text = (ROOT / block["path"]).read_text()
    if block["items"] is None:
        return text
    return "\n".join([*_items(text)[: int(block["items"])], ""])


def _item(inline: re.Match[str]) -> str:
    begins = f"- {inline['words']}"
    items = _items((ROOT / inline["path"]).read_text())
    item = next(item for item in items if item.startswith(begins)).removeprefix("- ")
    return re.split(r"(?<=[.?!]) (?=[A-Z])", item)[0]


def _items(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("- ")]


def main() -> None:
    """Bring all documents up to date and name those that weren't."""
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        before = path.read_text()
        after = embed(before)
        if after != before:
            path.write_text(after)
            print(f"brought up to date: {path.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
