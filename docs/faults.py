"""Write what is promised when something goes wrong: python docs/faults.py > docs/faults.md.

The table is what the tests with the marker ``faults`` say they show.
"""

import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from tabulate import tabulate

ROOT = Path(__file__).resolve().parents[1]
_INTRODUCTION = """# What goes wrong, and what is promised then

Made from the tests that show it by `python docs/faults.py > docs/faults.md`; `make faults` runs
those of one machine, and `make cluster` those of Ray, Slurm and servers, with real processes, real
signals and real damage. "Ends with" is the exit code of the command that meets the fault and part
of what it says. The command given again, once the fault is removed, ends in 0 with the same results
as if nothing had happened; where a row says that a run has other bits or is another run, with
those.
"""
_COLUMNS = ("fault", "lost", "repeated", "ends with", "test")


class _Collected:
    """A pytest plugin that keeps the tests instead of running them."""

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.tests = session.items


def table() -> str:
    """Return a row for each test, in Markdown."""
    collected = _Collected()
    with redirect_stdout(sys.stderr):
        code = pytest.main(
            ["--collect-only", "--quiet", "-m", "faults", str(ROOT / "tests")], [collected]
        )
    if code:
        sys.exit(int(code))
    rows = dict.fromkeys(_row(test) for test in collected.tests)
    return tabulate(list(rows), _COLUMNS, tablefmt="github")


def _row(test: pytest.Item) -> tuple[str, ...]:
    marker = test.get_closest_marker("faults")
    assert marker is not None
    said = marker.kwargs
    ends = f'{said["code"]}: "{said["says"]}"' if said["says"] else str(said["code"])
    name = f"`{test.path.name}::{test.originalname}`"  # type: ignore[attr-defined]
    return said["fault"], said["lost"], said["repeated"], ends.replace("|", "/"), name


def main() -> None:
    """Print the document."""
    print(f"{_INTRODUCTION}\n{table()}")


if __name__ == "__main__":
    main()
