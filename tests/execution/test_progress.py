"""What a launch says of itself while it runs, where no terminal shows a bar."""

import pytest

from sidebyside.execution.progress import watch
from sidebyside.storage import store

LAUNCH = "0123"


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(tmp_path))


def under_way(key, epochs_done):
    store.begin(key)
    store.report_progress(key, epochs_done)


def test_a_line_tells_runs_done_epochs_under_way_and_time_left(capsys):
    with watch(LAUNCH, {"aa": 3, "bb": 3, "cc": 3}):
        store.announce(LAUNCH, "bb")
        under_way("aa", 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "1/3 runs, epochs 2/3, about 0:00:00 left"


def test_nothing_is_left_of_a_launch_that_has_all_its_runs(capsys):
    with watch(LAUNCH, {"aa": 3}):
        under_way("aa", 2)  # of an earlier process; announced is what counts
        store.announce(LAUNCH, "aa")
    assert capsys.readouterr().err == "1/1 runs\n"


def test_runs_of_another_launch_are_not_counted(capsys):
    store.announce("4567", "aa")
    with watch(LAUNCH, {"aa": 3}):
        pass
    assert capsys.readouterr().err == "0/1 runs\n"
