"""All that can be chosen, in one sweep: the same bits after a SIGKILL and in any order."""

import os
import signal
import sys

import pytest

from sidebyside.files import read_json
from support.choices import CHOICES, OWN
from support.processes import run, start
from support.projects import SOURCE, copy_project
from support.sweeps import keys_in, wait_until

pytestmark = pytest.mark.slow

SWEEP = [sys.executable, str(SOURCE / "tests" / "support" / "every_choice.py")]


def digests(home):
    """Return the weights' digests of each run after each epoch."""
    return {key: read_json(home / "runs" / key / "digests.json") for key in keys_in(home)}


@pytest.mark.release
@pytest.mark.timeout(1500)  # it trains 72 runs, three times
@pytest.mark.faults(
    fault="SIGKILL of a sweep over every block, schedule, augmentation and own model",
    lost="nothing finished",
    repeated="epochs after the last checkpoint",
    code=-9,
    says="",
)
def test_every_choice_has_the_same_bits_after_a_kill(tmp_path, monkeypatch, fault):
    monkeypatch.setenv("PYTHONPATH", str(SOURCE / "tests"))
    project = copy_project(tmp_path / "project")
    (project / "own.py").write_text(OWN)
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    for home in (undisturbed, killed):
        home.mkdir()
    done = run([*SWEEP, "1"], project, undisturbed, timeout=900)
    assert done.returncode == 0, done.stderr
    expected = digests(undisturbed)
    assert len(expected) == 2 * len(CHOICES)

    process = start([*SWEEP, "2"], project, killed)
    unfinished = killed / "runs" / ".unfinished"
    wait_until(
        lambda: len(keys_in(killed)) > len(CHOICES) and any(unfinished.glob("*/*/*.json")),
        process=process,
    )
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == fault.code
    begun = keys_in(killed)
    assert len(begun) < len(expected)
    done = run([*SWEEP, "2"], project, killed, timeout=900)
    assert done.returncode == 0, done.stderr
    assert digests(killed) == expected
