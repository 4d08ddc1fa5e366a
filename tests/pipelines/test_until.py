"""``dvc repro`` of a study whose rule adds seeds: one stage, however often it is killed."""

import os
import signal
import subprocess

import psutil
import pytest

from support.processes import Started, read_until
from support.repositories import make_repository

pytestmark = pytest.mark.slow


def growing(root, workers):
    """Return a repository whose study grows until it is decided, with so many workers."""
    root.mkdir()
    repository = make_repository(root)
    study = root / "conf" / "study" / "tiny.yaml"
    rule = "name: tiny\n  until: decided\n  max_seeds: 5\n  margin: 0.001\n"
    study.write_text(study.read_text().replace("name: tiny\n", rule))
    launcher = root / "conf" / "hydra" / "launcher" / "local.yaml"
    launcher.write_text(launcher.read_text().replace("workers: null", f"workers: {workers}"))
    return repository


def killed_at_the_first_look(repository):
    with Started(
        ["dvc", "repro"],
        cwd=repository.root,
        env=repository.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        read_until(process.stdout, "Look 1 (3 seeds)")
        children = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGKILL)
    psutil.wait_procs(children, timeout=30)


@pytest.mark.release
@pytest.mark.faults(
    fault="SIGKILL of `dvc repro` at a look of a study that adds seeds until it is decided",
    lost="nothing finished",
    repeated="epochs after the last checkpoint",
    code=-9,
    says="",
)
def test_a_growing_study_ends_with_the_same_lock(tmp_path):
    undisturbed, killed = (growing(tmp_path / str(workers), workers) for workers in (1, 2))
    said = undisturbed.run("dvc", "repro")
    assert "Look 2 (5 seeds): " in said
    killed_at_the_first_look(killed)
    assert "Look 2 (5 seeds): " in killed.run("dvc", "repro")
    assert undisturbed.lock() == killed.lock()
    assert undisturbed.comparison() == killed.comparison()
    assert undisturbed.comparison()["n_runs"] == 10
    assert "up to date" in killed.run("dvc", "repro")
