"""Runs that were found whole aren't read again, unless something of them changed."""

import os

import pytest

from sidebyside import paths
from sidebyside.storage.verified import FILE, Verified

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
