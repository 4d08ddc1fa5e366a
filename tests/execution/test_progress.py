"""What a launch says of itself while it runs, where no terminal shows a bar."""

import json
import os
from dataclasses import asdict

import pytest
from rich.console import Console

from sidebyside import paths
from sidebyside.cli.main import main
from sidebyside.execution.progress import watch
from sidebyside.execution.running.launches import Launch, RunShown, dead, noted, running
from sidebyside.execution.running.states import state_of
from sidebyside.execution.running.view import View
from sidebyside.execution.submitted.records import Submitted
from sidebyside.files import write_json
from sidebyside.storage import store


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(tmp_path))


@pytest.fixture
def launch():
    """A launch of three runs."""
    launch = Launch("0123", "dataset=mnist5k")
    launch.add({key: RunShown(f"seed={key}", 3, 1) for key in ("aa", "bb", "cc")})
    return launch


def under_way(key, epochs_done):
    store.begin(key)
    store.report_progress(key, epochs_done)


def test_a_line_tells_runs_done_epochs_under_way_and_time_left(launch, capsys):
    with watch(launch):
        store.announce(launch.id, "bb")
        under_way("aa", 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "1/3 runs, epochs 2/3, about 0:00:00 left"


def test_epochs_are_told_before_the_first_run_ends(launch, capsys, monkeypatch):
    monkeypatch.setattr("sidebyside.execution.progress._LINE_EVERY", 0)
    with watch(launch):
        under_way("aa", 1)
    assert "0/3 runs, epochs 1/3" in capsys.readouterr().err


def test_nothing_is_left_of_a_launch_that_has_all_its_runs(launch, capsys):
    with watch(launch):
        under_way("aa", 2)  # of an earlier process; announced is what counts
        for key in ("aa", "bb", "cc"):
            store.announce(launch.id, key)
    assert capsys.readouterr().err == "3/3 runs\n"


def test_runs_of_another_launch_are_not_counted(launch, capsys):
    store.announce("4567", "aa")
    under_way("dd", 1)
    with watch(launch):
        pass
    assert capsys.readouterr().err == "0/3 runs\n"


def test_epochs_of_an_earlier_launch_are_no_pace_of_this_one():
    under_way("aa", 2)
    os.utime(paths.unfinished_run("aa"), (0, 0))  # left by a launch that was killed
    launch = Launch("0123", "dataset=mnist5k")
    launch.add({"aa": RunShown("seed=0", 3, 1, begun=2), "bb": RunShown("seed=1", 3, 1)})
    state = state_of(launch)
    assert (state.running, state.share, state.left) == ([], 0, None)
    under_way("aa", 2)
    assert [own.done for own in state_of(launch).running] == [2]


def test_a_run_that_is_evaluated_counts_with_all_its_epochs(launch):
    (paths.runs() / "aa").mkdir(parents=True)
    assert state_of(launch).epochs_done == 3


def test_a_view_has_a_line_for_each_run_and_tells_failures(launch):
    under_way("aa", 2)
    store.announce(launch.id, "cc")
    launch.failed("bb", ValueError("its loss is no number\nmore"))
    console = Console(record=True, width=100, force_terminal=True)
    with View(console) as view:
        view.show(state_of(launch))
        view.show(state_of(launch))
        view._bars.refresh()
        said = console.export_text()
    assert said.count("failed: seed=bb: its loss is no number\n") == 1
    assert "seed=aa" in said
    assert "epoch 2/3" in said
    assert "1/3 runs" in said


def test_a_view_shows_levels_that_are_lists(launch):
    names = {"aa": "activation=[relu,tanh],seed=0", "bb": "folder=[/data/a],seed=0"}
    launch.add({key: RunShown(name, 3, 1) for key, name in names.items()})
    for key in names:
        under_way(key, 1)
    console = Console(record=True, width=100, force_terminal=True)
    with View(console) as view:
        view.show(state_of(launch))
        view._bars.refresh()
        said = console.export_text()
    assert all(name in said for name in names.values())


def test_any_terminal_sees_a_launch_while_it_runs_and_not_after(launch, capsys):
    with noted(launch):
        under_way("aa", 2)
        main(["status"])
        said = capsys.readouterr().out
        assert "launch 0123: dataset=mnist5k, process" in said
        assert "epoch 2/3  aa  seed=aa" in said
        main(["status", "01", "--json"])
        (told,) = json.loads(capsys.readouterr().out)
        assert told["now"]["running"] == [{"key": "aa", "name": "seed=aa", "done": 2, "epochs": 3}]
    main(["status"])
    assert "Nothing runs" in capsys.readouterr().out


@pytest.mark.parametrize("spoilt", ["launch", "process", "progress", "ended"])
def test_a_record_that_a_power_failure_has_spoilt_hides_no_other(launch, capsys, spoilt):
    for name in ("1111", "2222"):
        folder = paths.runs() / ".submitted" / name
        folder.mkdir(parents=True)
        write_json(folder / "launch.json", asdict(Submitted(name, [], "local", "it", 1, 0.0)))
    (paths.runs() / ".submitted" / "1111" / f"{spoilt}.json").write_text("")
    main(["status", "--json"])
    told = {own["id"]: own["state"] for own in json.loads(capsys.readouterr().out)}
    assert told["2222"] == "killed"
    assert told.get("1111") == (None if spoilt == "launch" else "killed")


def test_a_launch_that_was_killed_runs_no_more(launch):
    launch.process = launch.process | {"process.id": "999999999"}
    launch.add({})
    assert running() == []


def test_a_narrow_view_tells_runs_apart(launch):
    levels = ("channels_first", "channels_last")
    name = "kernel_size=3,dropout=true,optimizer=adadelta,data_format={},seed={}"
    runs = {f"{own}{seed}": name.format(own, seed) for own in levels for seed in (0, 1)}
    launch.add({key: RunShown(name, 3, 1) for key, name in runs.items()})
    for key in runs:
        under_way(key, 1)
    console = Console(record=True, width=100, force_terminal=True)
    with View(console) as view:
        view.show(state_of(launch))
        view._bars.refresh()
        said = console.export_text()
    for level in levels:
        for seed in (0, 1):
            assert f"3,true,adadelta,{level},seed={seed} " in said


def test_a_launch_of_another_machine_that_says_nothing_for_long_is_dead(launch, capsys):
    launch.process["process.host"] = "elsewhere"
    launch.add({})
    with noted(launch):
        assert [own.id for own in running()] == ["0123"]
        os.utime(launch.path, (0, 0))
        assert not running()
        assert dead() == [launch.path]
        with watch(launch):  # by which others know that it lives
            pass
        assert [own.id for own in running()] == ["0123"]
