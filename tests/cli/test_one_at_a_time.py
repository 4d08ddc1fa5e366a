"""A command waits for the one that holds its lock, however that ends."""

import signal
import subprocess
import sys

import pytest

from support.processes import read_until
from support.projects import environment


def started(tmp_path, *command):
    """Start a command that holds the lock ``folder/lock``."""
    script = [sys.executable, "-m", "sidebyside.cli.one_at_a_time", str(tmp_path / "folder/lock")]
    pipe = subprocess.PIPE
    streams = {"stdin": pipe, "stdout": pipe, "stderr": pipe}
    variables = environment(tmp_path, tmp_path)
    return subprocess.Popen([*script, *command], env=variables, text=True, **streams)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL, None])
def test_the_second_waits_until_the_first_has_ended(tmp_path, end):
    with started(tmp_path, "sh", "-c", "echo begun; read line; exit 3") as first:
        read_until(first.stdout, "begun")
        with started(tmp_path, "echo", "mine") as second:
            said = read_until(second.stderr, "to end.")
            assert said == "Waiting for another echo mine in this folder to end.\n"
            assert second.poll() is None
            if end is None:
                first.communicate("\n")
            else:
                first.send_signal(end)
            assert first.wait() == (3 if end is None else -end)
            assert second.communicate() == ("mine\n", "")
            assert second.returncode == 0


def test_nobody_waits_for_nobody(tmp_path):
    for _ in range(2):
        with started(tmp_path, "echo", "mine") as only:
            assert only.communicate() == ("mine\n", "")
