"""A run that was killed goes on where it was, to the same bits."""

import os
import signal
import subprocess
import sys
import time

from conftest import TINY, environment
from sidebyside.files import read_json

# Long enough to be killed in the middle.
LONG = (*TINY, "training.epochs=12", "evaluate=false")


def command(project):
    return [sys.executable, str(project / "pipelines" / "train.py"), *LONG]


def finished(home):
    """Return the card and the digest after each epoch of the only run at ``home``."""
    (card,) = (home / "runs").glob("*/run.json")
    return read_json(card)["weights_digest"], read_json(card.with_name("digests.json"))


def train(project, home):
    done = subprocess.run(
        command(project),
        env=environment(project, home),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def kill_after(project, home, epochs):
    """Start a run and kill it once it has ``epochs`` epochs; return its checkpoints, old to new."""
    process = subprocess.Popen(
        command(project),
        env=environment(project, home),
        cwd=home,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    checkpoints = home / "runs" / ".unfinished"
    deadline = time.monotonic() + 120
    while not list(checkpoints.glob(f"*/checkpoints/epoch-{epochs:06d}.json")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return sorted(checkpoints.glob("*/checkpoints/epoch-*.npz"))


def test_a_killed_run_ends_with_the_bits_of_an_undisturbed_one(project, tmp_path):
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    undisturbed.mkdir()
    killed.mkdir()
    train(project, undisturbed)
    *_, before, newest = kill_after(project, killed, 3)
    os.truncate(newest, newest.stat().st_size // 2)  # as by a power failure
    said = train(project, killed)
    assert f"going on after epoch {int(before.stem.removeprefix('epoch-'))}/12" in said
    assert finished(killed) == finished(undisturbed)
    assert len(finished(killed)[1]) == 12
