"""Runs that were found whole aren't read again, unless something of them changed."""

import os
import shutil

import numpy as np
import pytest

from sidebyside import UserError, compose, paths
from sidebyside.files import file_digest, write_json
from sidebyside.storage.evaluations import save_evaluation
from sidebyside.storage.results import StudyRun, write_evaluate_results, write_train_results
from sidebyside.storage.store import holds
from sidebyside.storage.verified import FILE, Verified
from support.projects import copy_project

KEY = "a" * 64


@pytest.fixture
def stored(home):
    """A run's folder with its evaluation, noted as verified."""
    folder = paths.run(KEY)
    (folder / "evaluation").mkdir(parents=True)
    (folder / "run.json").write_text("{}")
    (folder / "evaluation" / "predicted.npy").write_bytes(b"12345")
    verified = Verified()
    assert not verified.is_whole(KEY, "code")
    verified.note(KEY, "code")
    verified.save()
    return folder


def test_what_was_verified_is_remembered(stored):
    assert Verified().is_whole(KEY, "code")
    assert Verified().is_whole(KEY, None)
    assert not Verified().is_whole(KEY, "other code")
    assert not Verified().is_whole("b" * 64, None)


def test_a_run_without_an_evaluation_isnt_taken_for_evaluated(stored):
    verified = Verified()
    verified.note(KEY, None)
    verified.save()
    assert Verified().is_whole(KEY, None)
    assert not Verified().is_whole(KEY, "code")


CHANGES = {
    "other bytes": lambda folder: (folder / "evaluation" / "predicted.npy").write_bytes(b"54321"),
    "another time": lambda folder: os.utime(folder / "run.json", (1, 1)),
    "a file less": lambda folder: (folder / "run.json").unlink(),
    "a file more": lambda folder: (folder / "more").touch(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_changed_since_is_read_again(stored, change):
    change(stored)
    assert not Verified().is_whole(KEY, None)


@pytest.mark.parametrize("content", ["", "[]", '{"a'])
def test_a_spoilt_list_is_no_list(stored, content):
    (paths.runs() / FILE).write_text(content)
    assert not Verified().is_whole(KEY, None)
    Verified().save()


def rotten(path):
    """Change a byte of a file, as a disk does that fails: neither its size nor its time changes."""
    about = path.stat()
    path.write_bytes(b"x" + path.read_bytes()[1:])
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))


def test_damage_that_time_and_size_hide_is_told_when_results_are_written(
    tmp_path, monkeypatch, capsys
):
    root = copy_project(tmp_path)
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(root))
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(root))
    folder = paths.run(KEY)
    folder.mkdir(parents=True)
    write_json(folder / "history.json", {"loss": [0.5]})
    files = {"history.json": file_digest(folder / "history.json")}
    about = {"key": KEY, "parameters": 1, "weights_digest": "d", "identity": {}}
    write_json(folder / "run.json", about | {"files": files})
    arrays = {name: np.zeros(3, np.uint8) for name in ("predicted", "probabilities")}
    figures = dict.fromkeys(("test_error", "test_loss", "error_per_class", "confusion", "layout"))
    save_evaluation(KEY, "basis", figures, arrays)
    rotten(folder / "evaluation" / "predicted.npy")
    with pytest.raises(UserError, match=r"evaluation in .* damaged: delete that folder, and the"):
        write_evaluate_results("mnist5k", "factorial", [KEY])
    config, run = compose("study=factorial"), StudyRun(KEY, "k=3", {"k": 3}, 0)
    write_train_results(config, [run], [])
    shutil.rmtree(paths.results("mnist5k", "factorial", "train"))
    rotten(folder / "history.json")
    with pytest.raises(UserError, match=r"aaaaaaaaaaaa isn't whole any more, .* again trains it"):
        write_train_results(config, [run], [])
    assert "is damaged and will be trained again" in capsys.readouterr().err
    assert not holds(KEY)
