"""The same run has the same bits, whoever trains it and beside what."""

import subprocess
import sys

import pytest

from sidebyside.files import read_json
from support.projects import TINY, environment

pytestmark = pytest.mark.slow

ONE = (*TINY, "model.kernel_size=3", "seed=1")


def digests(home) -> dict[str, str]:
    """Return the weights digest of each finished run by its key."""
    cards = [read_json(path) for path in (home / "runs").glob("*/run.json")]
    return {card["key"]: card["weights_digest"] for card in cards}


@pytest.fixture(scope="module")
def alone(project, tmp_path_factory) -> dict[str, str]:
    """The digest of one run that was trained by itself."""
    home = tmp_path_factory.mktemp("alone")
    start(project, home, *ONE)
    return digests(home)


def start(project, home, *arguments) -> None:
    """Run the train script to its end."""
    command = [sys.executable, str(project / "pipelines" / "train.py"), *arguments]
    subprocess.run(command, env=environment(project, home), cwd=home, check=True, timeout=300)


@pytest.mark.parametrize("workers", [1, 4])
def test_a_run_in_a_sweep_is_the_run_alone(project, tmp_path, alone, workers):
    grid = ("model.kernel_size=3,5", "seed=0,1", f"hydra.launcher.workers={workers}")
    start(project, tmp_path, "-m", *TINY, *grid)
    found = digests(tmp_path)
    assert len(found) == 4
    assert alone.items() <= found.items()


def test_a_run_in_this_process_is_the_run_alone(compose, home, alone):
    from sidebyside import train
    from sidebyside.config.validate import check

    for seed in (0, 1):  # the second one in a process that has trained before
        run = train(check(compose(*TINY, "model.kernel_size=3", f"seed={seed}")))
    assert alone == {run.key: run.weights_digest}


def test_a_run_on_its_own_answers_from_the_store(run_script, home):
    first, second = run_script("train", *ONE), run_script("train", *ONE)
    assert first.returncode == second.returncode == 0
    assert first.stdout == second.stdout
    assert len(digests(home)) == 1
