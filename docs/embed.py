"""Put generated files into the documents that show them: python docs/embed.py.

Whatever stands between ``<!-- embed PATH -->`` and ``<!-- end -->`` in a document becomes the
content of PATH, which is given from the project's root; with ``<!-- embed PATH first 3 items -->``
the first three items of its lists.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_BLOCK = re.compile(
    r"(<!-- embed (?P<path>\S+)(?: first (?P<items>\d+) items)? -->\n).*?(<!-- end -->)", re.DOTALL
)


def embed(text: str) -> str:
    """Return a document with the current content of the files that it shows."""
    return _BLOCK.sub(lambda block: f"{block[1]}\n{_content(block)}\n{block[4]}", text)


def _content(block: re.Match[str]) -> str:
    text = (ROOT / block["path"]).read_text()
    if block["items"] is None:
        return text
    items = [line for line in text.splitlines() if line.startswith("- ")]
    return "\n".join([*items[: int(block["items"])], ""])


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
