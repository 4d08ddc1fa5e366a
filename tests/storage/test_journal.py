"""The journal: every look at the test set, in order, and what it tells of a study's runs."""

import json
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime

import pytest

from sidebyside import UserError, paths
from sidebyside.data.arrays import open_arrays
from sidebyside.storage import journal
from sidebyside.verify.test_set import looks
from support.processes import Started
from support.sweeps import wait_until

WRITER = """
from sidebyside.storage import journal
for number in range(50):
    journal.record("begun", "mnist5k", ["{name}" * 2000, str(number)], "test")
"""


@pytest.fixture
def arrays(project, home):
    """Arrays of mnist5k, with an empty run store to record who reads them."""
    return open_arrays(paths.processed("mnist5k", "channels_last"))


def test_no_reader_of_test_images_gets_by(arrays):
    arrays.read("train_images"), arrays.read("clean_training")
    assert journal.entries() == []
    arrays.read("test_images")
    with journal.looking("evaluate", ["a"]):
        arrays.read("test_labels"), arrays.read("test_images")
    arrays.read("test_labels")
    found = [(entry.event, entry.dataset, entry.keys) for entry in journal.entries()]
    nobody, evaluated = ("look", "mnist5k", []), ("look", "mnist5k", ["a"])
    assert found == [nobody, evaluated, nobody]
    assert journal.entries()[1].by == "evaluate"


def test_several_write_at_once_and_a_cut_line_spoils_no_other(home):
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER.format(name=name)]) for name in "abcd"
    ]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    path = home / "runs" / journal.FILE
    with path.open("ab") as file:
        file.write(b'{"event": "begun", "dataset": "mni')  # as a kill leaves it
    journal.record("finished", "mnist5k", ["e"], "test")
    entries = journal.entries()
    assert len(entries) == 201
    for name in "abcd":
        of_one = [entry.keys[1] for entry in entries if entry.keys[0] == name * 2000]
        assert of_one == [str(number) for number in range(50)]
    assert entries[-1].keys == ["e"]
    assert len(strict(path)) == 201


def strict(path):
    """Return what the lines of a file of strict JSON Lines hold."""
    text = path.read_text()
    assert text.endswith("\n")
    return [json.loads(line) for line in text.removesuffix("\n").split("\n")]


def test_writers_that_are_killed_leave_lines_of_json(home):
    path = home / "runs" / journal.FILE
    endless = WRITER.replace("range(50)", "range(10**9)")

    def size():
        return path.stat().st_size if path.exists() else 0

    with ExitStack() as both:
        commands = [[sys.executable, "-c", endless.format(name=name)] for name in "ab"]
        writers = [both.enter_context(Started(command)) for command in commands]
        for writer in writers:
            enough = size() + 100_000
            wait_until(lambda enough=enough: size() >= enough, 60, pause=0.01)
            writer.kill()
            assert writer.wait() == -9
    journal.record("finished", "mnist5k", ["e"], "test")
    assert strict(path)[-1]["keys"] == ["e"]


def test_a_journal_of_an_earlier_version_becomes_strict_and_keeps_its_order(home):
    path = home / "runs" / journal.FILE
    for key in "abc":
        journal.record("finished", "mnist5k", [key], "test")
    lines = path.read_text().splitlines()
    path.write_text("".join(f"\n{line}" for line in [lines[0], lines[1][:20], "", *lines[1:]]))
    assert [entry.keys for entry in journal.entries()] == [["a"], ["b"], ["c"]]
    journal.record("finished", "mnist5k", ["d"], "test")
    assert [own["keys"] for own in strict(path)] == [["a"], ["b"], ["c"], ["d"]]


def test_a_journal_that_cannot_be_written_stops_the_reader(arrays, home):
    (home / "runs" / journal.FILE).mkdir(parents=True)
    with pytest.raises(UserError, match=r"Can't write .*journal\.jsonl"):
        arrays.read("test_images")


def history(*steps):
    """Record (event, keys) one after the other, the clock running backwards."""

    class Backwards:
        hour = 23

        @classmethod
        def now(cls, zone):
            cls.hour -= 1
            return datetime(2026, 1, 1, cls.hour, tzinfo=UTC)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "datetime", Backwards)
        for event, keys in steps:
            journal.record(event, "mnist", list(keys), "evaluate" if event == "look" else "train")
    times = [entry.time for entry in journal.entries()]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize(
    ("steps", "after_own", "after_any", "words"),
    [
        # One launch of all, tested as they end: nothing could be chosen.
        (
            [("launched", "abc"), ("begun", "a"), ("look", "a"), ("begun", "b"), ("begun", "c")],
            0,
            0,
            "No run of the study was begun after a look at the test set.",
        ),
        # The same after a kill: c was decided on before the look.
        (
            [("launched", "abc"), ("look", "a"), ("launched", "bc"), ("begun", "c")],
            0,
            0,
            "No run of the study was begun",
        ),
        # Another seed once the others are tested.
        (
            [("launched", "ab"), ("look", "a"), ("launched", "abc"), ("begun", "c")],
            1,
            1,
            "1 of 3 runs of the study were begun after a look at results of the study",
        ),
        (
            [("begun", "a"), ("look", "a"), ("begun", "b"), ("look", "b"), ("begun", "c")],
            2,
            2,
            "2 of 3 runs",
        ),
        # Somebody looked at a run of another study.
        (
            [("launched", "x"), ("look", "x"), ("launched", "abc")],
            0,
            3,
            "but 3 of 3 after a look at the same test images for another purpose",
        ),
        ([("launched", "abc")], 0, 0, "knows of no look at the test images of mnist"),
        ([("look", "")], 0, 0, "3 of the study's 3 runs aren't in this run store's journal"),
    ],
)
def test_runs_chosen_after_a_look_are_counted(home, steps, after_own, after_any, words):
    history(*steps)
    found = looks("mnist", ["a", "b", "c"], None, journal.entries())
    assert (found.after_own, found.after_any) == (after_own, after_any)
    assert words in " ".join(found.sentences)
    assert looks("mnist5k", ["a"], None, journal.entries()).first is None


def test_runs_that_arrived_one_by_one_were_chosen_with_their_launch(home):
    def arrives(event, key, by, hour):
        when = f"2026-01-01T{hour:02}:00:00+00:00"
        journal.append([json.dumps(asdict(journal.Entry(event, "mnist", [key], by, when)))])

    for key, hour in (("a", 1), ("b", 2)):
        arrives("launched", key, "train", 0)
        arrives("begun", key, "train", hour)
        arrives("look", key, "evaluate", hour + 1)
    assert looks("mnist", ["a", "b"], None, journal.entries()).after_own == 0
    arrives("launched", "c", "train", 5)
    assert looks("mnist", ["a", "b", "c"], None, journal.entries()).after_own == 1


def test_a_stopping_rule_and_watched_test_images_are_named(home):
    with journal.looking(journal.VALIDATION, ["a"]):
        journal.record_look("mnist")
    rule = {"until": "narrow", "halfwidth": 0.05, "max_seeds": 20}
    found = looks("mnist", ["a", "b"], rule, journal.entries())
    text = " ".join(found.sentences)
    assert "1 of 2 runs of the study validated on the test images" in text
    assert "until intervals are within +-0.05 points" in text
