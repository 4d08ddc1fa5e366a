"""What documents show is what the committed reports say."""

import subprocess
import sys

import pytest

from support.projects import SOURCE

DOCUMENTS = [SOURCE / "README.md", *sorted((SOURCE / "docs").glob("*.md"))]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_what_is_shown_is_what_was_generated(path, monkeypatch):
    monkeypatch.syspath_prepend(SOURCE / "docs")
    try:
        from embed import embed

        text = path.read_text()
        assert embed(text) == text, "make docs brings it up to date"
    finally:
        sys.modules.pop("embed", None)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["faults", "bits", "configuration"])
def test_a_table_is_that_of_the_tests(name):
    made = subprocess.run(
        [sys.executable, str(SOURCE / "docs" / f"{name}.py")],
        cwd=SOURCE,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    shown = (SOURCE / "docs" / f"{name}.md").read_text()
    assert made.stdout == shown, "make docs brings it up to date"
