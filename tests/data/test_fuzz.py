"""Five thousand damaged files for each reader: refused in a sentence, or read; never worse."""

import subprocess
import sys

import pytest

from support.projects import SOURCE

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("reader", ["idx", "image", "evidence"])
def test_no_file_does_harm(reader, tmp_path):
    done = subprocess.run(
        [sys.executable, str(SOURCE / "tests" / "support" / "fuzzing.py"), reader, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) > 1000  # most are refused, which shows that they were damaged
