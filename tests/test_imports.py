"""What is imported, and when: TensorFlow takes seconds, so only where something is computed."""

import subprocess
import sys

import pytest

from support.projects import SOURCE


def python(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end, in the folder of the tests."""
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(
        command, cwd=SOURCE / "tests", capture_output=True, text=True, timeout=120, check=False
    )


def test_importing_the_package_is_quick():
    program = "import time; began = time.perf_counter(); import sidebyside; "
    times = [float(python(f"{program}print(time.perf_counter() - began)").stdout) for _ in range(3)]
    assert min(times) < 0.3


@pytest.mark.slow
def test_stages_without_training_import_no_tensorflow():
    modules = "sidebyside.data.download, sidebyside.data.prepare, sidebyside.report.compare"
    done = python(f"import sys, {modules}; print('tensorflow' in sys.modules)")
    assert done.stdout == "False\n", done.stderr


@pytest.mark.slow
def test_tests_that_compute_no_network_run_without_tensorflow():
    program = (
        "import pytest, sys; code = pytest.main(['-q', '-p', 'no:cacheprovider', *sys.argv[1:]]); "
        "sys.exit(f'exit code {code}' if code else 'tensorflow' in sys.modules)"
    )
    done = python(program, "analysis/test_verdicts.py")
    assert done.returncode == 0, done.stdout + done.stderr
