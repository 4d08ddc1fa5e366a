"""What the package exports, and that each name leads somewhere."""

import subprocess
import sys

import pytest

import sidebyside

NAMES = [
    "Comparison",
    "Config",
    "Evaluation",
    "Run",
    "StudyResults",
    "UserError",
    "compare",
    "compose",
    "evaluate",
    "load_run",
    "load_study",
    "run_study",
    "train",
]


def test_exactly_these_names_are_exported():
    assert sorted(dir(sidebyside)) == NAMES
    assert sorted(sidebyside.__all__) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_an_exported_name_resolves(name):
    assert getattr(sidebyside, name).__name__ == name


def test_importing_the_package_loads_nothing_heavy():
    program = "import sys, sidebyside; print({'tensorflow', 'pandas', 'mlflow'} & {*sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "set()\n", done.stderr
