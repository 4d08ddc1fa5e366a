"""Stored runs against themselves, trained again."""

import json
import os
import subprocess
import sys

import pytest

from conftest import TINY, copy_project, environment
from sidebyside.arrays import file_digest
from sidebyside.files import read_json, write_json

STUDY = ("study=factorial", "model.kernel_size=3", "model.dropout=true", "optimizer=adam")


@pytest.fixture(scope="module")
def studied(project, tmp_path_factory):
    """A workspace that is its own home, with a study of two variants and two seeds."""
    root = copy_project(tmp_path_factory.mktemp("verified"))
    os.symlink(project / "data", root / "data")
    command = [sys.executable, str(root / "pipelines" / "train.py"), "-m", *TINY, *STUDY]
    command += ["seed=0,1", "training.epochs=3"]
    subprocess.run(command, env=environment(root, root), cwd=root, check=True, timeout=300)
    return root


def verify(root, *arguments, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "sidebyside.cli", "verify", *arguments],
        env=environment(root, root),
        cwd=root,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == code, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done.stdout if code != 2 else done.stderr


def folders(root):
    return sorted(
        path.parent for path in (root / "results/mnist5k/factorial/train").glob("*/run.json")
    )


def test_a_study_made_minutes_ago_holds(studied):
    verdicts = json.loads(verify(studied, "--all", "--json"))
    assert {verdict["key"] for verdict in verdicts} == {path.name for path in folders(studied)}
    assert all(verdict["same_bits"] and verdict["same_predictions"] for verdict in verdicts)
    assert all(verdict["changed"] == [] for verdict in verdicts)
    assert all(verdict["churn"] > 0 for verdict in verdicts)


def test_a_tampered_weight_file_names_its_run(studied):
    (folder, other, *_) = folders(studied)
    weights = folder / "model.weights.h5"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    said = verify(studied, "--runs", folder.name[:12], other.name[:12], code=1)
    weights.write_bytes(whole)
    assert f"Run {folder.name[:12]} is damaged" in said
    assert "model.weights.h5" in said
    assert f"Run {other.name[:12]}" not in said


def test_bits_that_no_training_gives_name_their_first_epoch(studied):
    folder = folders(studied)[0]
    before = {name: (folder / name).read_bytes() for name in ("digests.json", "run.json")}
    digests = read_json(folder / "digests.json")
    write_json(folder / "digests.json", [digests[0], "0" * 64, digests[2]])
    card = read_json(folder / "run.json")
    card["files"]["digests.json"] = file_digest(folder / "digests.json")
    write_json(folder / "run.json", card)
    said = verify(studied, "--runs", folder.name, code=1)
    for name, content in before.items():
        (folder / name).write_bytes(content)
    assert f"Run {folder.name[:12]} differs from epoch 2 on" in said
    assert "tampered" in said


def test_another_number_of_threads_is_explained(studied):
    folder = folders(studied)[0]
    (verdict,) = json.loads(
        verify(studied, "--runs", folder.name, "--threads", "3", "--json", code=1)
    )
    assert verdict["first_epoch"] == 1
    assert "environment.threads was 1, now 3" in verdict["changed"]
    verify(studied, "--runs", folder.name, "--threads", "3", "--rung", "predictions")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--runs", "0123456789"], "0 runs of study=factorial"),
        (["--count", "0"], "--count 0 won't do"),
        (["--study", "published"], "holds no results of study=published"),
    ],
)
def test_what_cannot_be_verified_is_named(studied, arguments, words):
    assert words in verify(studied, *arguments, code=2)
