"""Runs on several machines, each with a home and data of its own, that share nothing but a store.

A machine is a copy of the project and a home here; what counts is that none sees another's files.
"""

import errno
import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sidebyside import UserError, compose, paths, train
from sidebyside.config.compose import compose_grid
from sidebyside.config.schema import Store, Tracking
from sidebyside.execution.evaluate_study import evaluate_study
from sidebyside.execution.jobs import plan
from sidebyside.execution.study import run_grid
from sidebyside.execution.train import train_job
from sidebyside.files import read_json
from sidebyside.storage import journal, store
from sidebyside.storage.evaluations import stored_evaluation
from sidebyside.storage.results import load_study
from sidebyside.storage.shared import bundles
from sidebyside.storage.shared.bundles import SharedStore
from sidebyside.storage.shared.opened import objects_at
from sidebyside.storage.shared.runs import SharedRuns
from sidebyside.verify.test_set import looks
from support.executors import InThisProcess
from support.projects import TINY, copy_project, in_place

pytestmark = pytest.mark.slow

NOWHERE = "dataset.sources=[/no/such/folder]"
STUDY = ("study=factorial", "model.kernel_size=3", "model.dropout=true", "seed=3", "optimizer=adam")


@dataclass(frozen=True)
class Machine:
    """A clone of the project and a home, seen by nobody else."""

    root: Path
    home: Path

    def at(self):
        """Be this machine meanwhile."""
        return in_place(self.root, self.home)

    @property
    def files(self):
        """Each file of the finished runs, by name."""
        found = [path for path in (self.home / "runs").glob("*/**/*") if path.is_file()]
        return {
            path.relative_to(self.home): path.read_bytes()
            for path in found
            if not path.relative_to(self.home / "runs").parts[0].startswith(".")
        }

    @property
    def tracking(self):
        """Its own tracking store, for others to name."""
        return f"tracking.uri=sqlite:///{self.home / 'mlflow.db'}"


@pytest.fixture(scope="module")
def machine(tmp_path_factory, empty_database):
    """A function that gives one more machine, without data."""

    def machine():
        root = copy_project(tmp_path_factory.mktemp("clone"))
        home = tmp_path_factory.mktemp("home")
        shutil.copy(empty_database, home)
        return Machine(root, home)

    return machine


@pytest.fixture(scope="module")
def first(machine, prepared, tmp_path_factory):
    """A machine that has trained a run for others: itself, the store, and the run."""
    shared = tmp_path_factory.mktemp("shared")
    first = machine()
    shutil.copytree(prepared, first.root / "data")
    with first.at():
        return first, shared, train(compose(*TINY, f"store.uri={shared}"))


def flip(path):
    """Change a bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def entries_of(machine, key):
    with machine.at():
        entries = journal.entries()
    return [entry for entry in entries if entry.keys == [key] and entry.event != "launched"]


def test_a_run_that_another_machine_finished_is_neither_trained_nor_tested_again(first, machine):
    trained_by, shared, run = first
    other = machine()
    with other.at():
        for _ in range(2):
            arrived = train(compose(*TINY, NOWHERE, f"store.uri={shared}"))
            assert arrived.weights_digest == run.weights_digest
            assert arrived.folder == paths.run(run.key)
    assert other.files == trained_by.files  # how long it took among them
    assert {path.name for path in other.files} >= {"timing.json", "inference.json"}
    events = [entry.event for entry in entries_of(trained_by, run.key)]
    assert events == ["begun", "finished", "look"]
    assert entries_of(other, run.key) == entries_of(trained_by, run.key)


def test_checkpoints_stay_where_a_run_that_arrives_has_no_room(first, machine, monkeypatch):
    _, shared, run = first
    replace = os.replace

    def full(source, to):
        if Path(to) == paths.run(run.key):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, to)

    with machine().at():
        begun = store.begin(run.key) / store.CHECKPOINTS
        begun.mkdir()
        arriving = SharedRuns(SharedStore(objects_at(shared.as_uri())))
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", full)
            with pytest.raises(OSError, match="No space"):
                arriving.fetch_run(run.key)
        assert begun.is_dir()
        assert arriving.fetch_run(run.key)
        assert not begun.parent.exists()


def test_a_run_by_a_machine_that_is_not_asked_to_share_stays_there(first, machine):
    _, shared, run = first
    other, before = machine(), sorted(shared.rglob("*"))
    shutil.copytree(first[0].root / "data", other.root / "data")
    with other.at():
        alone = train(compose(*TINY, "seed=1"))
        assert compose(*TINY).store.uri is None
    assert sorted(shared.rglob("*")) == before
    assert alone.key != run.key


class OnANode(InThisProcess):
    """Does each task in the home and the clone of a machine, as a node of a cluster."""

    def __init__(self, node):
        self._node = node

    def run(self, tasks, more=tuple):
        def moved(task):
            def call():
                with self._node.at():
                    return task.call()

            return replace(task, call=call)

        yield from super().run([moved(task) for task in tasks], lambda: list(map(moved, more())))


class Nowhere(InThisProcess):
    """Has nothing to train."""

    def run(self, tasks, more=tuple):
        assert not tasks
        yield from super().run(tasks, more)


def test_a_launch_whose_workers_have_homes_of_their_own_has_all_that_they_made(first, machine):
    driver, shared, _ = first
    node = machine()
    arguments = [*TINY, *STUDY, driver.tracking, f"store.uri={shared}"]
    with driver.at():
        grid = compose_grid(arguments)
        # A node has no source: its data come from the store, by the digest that its job names.
        unreachable = [
            (replace(c, dataset=replace(c.dataset, sources=["/no/such/folder"])), levels)
            for c, levels in grid
        ]
        launched = run_grid(unreachable, OnANode(node), driver.home / "logs")
        assert not launched.failures
        results = load_study("mnist5k", "factorial")
        evaluations = [stored_evaluation(run.key) for run in launched.runs]
    keys = [run.key for run in launched.runs]
    assert len(keys) == 2
    assert [run.key for run in results.trained] == keys
    assert all(evaluation.test_error > 0 for evaluation in evaluations)
    assert node.files.items() <= driver.files.items()
    for key in keys:
        assert len(entries_of(driver, key)) == 3
        assert entries_of(driver, key) == entries_of(node, key)
    assert not list((driver.home / "runs" / ".launches").glob("*"))


@pytest.mark.parametrize("damaged", [False, True])
def test_a_study_is_tested_on_machines_that_have_none_of_it(first, machine, damaged):
    driver, shared, _ = first
    trainer, node = machine(), machine()
    shutil.copytree(driver.root / "data", trainer.root / "data")
    with trainer.at():
        grid = compose_grid(
            [*TINY, *STUDY, f"seed={5 + damaged}", "data_format=channels_last", "evaluate=false"]
        )
        assert not run_grid(grid, InThisProcess(), trainer.home / "logs").failures
        tracking = Tracking(f"sqlite:///{trainer.home / 'mlflow.db'}", "sidebyside")
        results = load_study("mnist5k", "factorial")
        [run] = results.trained
        if damaged:  # what it has is as good as nothing
            spoilt = node.home / "runs" / run.key
            shutil.copytree(paths.run(run.key), spoilt)
            flip(spoilt / "model.weights.h5")
        logs, asked = trainer.home / "logs", Store(str(shared))
        assert evaluate_study(results, tracking, OnANode(node), logs, asked) == {}
        assert results.evaluation(run).test_error == stored_evaluation(run.key).test_error
    assert Path("runs", run.key, "evaluation", "evaluation.json") in node.files  # by the node
    assert node.files.items() <= trainer.files.items()
    assert [entry.event for entry in entries_of(trainer, run.key)] == ["begun", "finished", "look"]


def test_a_launch_takes_all_that_others_have_finished_at_once(first, machine, capfd):
    driver, shared, _ = first
    arguments = [*TINY, *STUDY, f"store.uri={shared}"]
    with driver.at():  # by the test before or here
        run_grid(compose_grid(arguments), InThisProcess(), driver.home / "logs")
    other = machine()
    capfd.readouterr()
    with other.at():
        launched = run_grid(compose_grid([*arguments, NOWHERE]), Nowhere(), other.home / "logs")
    assert not launched.failures
    assert "2 of 2 runs are in the shared store" in capfd.readouterr().err
    assert {path.parts[1] for path in other.files} == {run.key for run in launched.runs}
    assert other.files.items() <= driver.files.items()


def test_runs_of_one_launch_were_chosen_together_wherever_they_arrive(first, machine, tmp_path):
    arguments = [*TINY, *STUDY, f"store.uri={tmp_path}"]
    trainer, other = machine(), machine()
    shutil.copytree(first[0].root / "data", trainer.root / "data")
    with trainer.at():
        grid = compose_grid(arguments)
        keys = [plan(*wanted).run.key for wanted in grid]
        assert len(set(keys)) == 2
        record = trainer.home / "runs" / journal.FILE
        record.parent.mkdir()
        record.write_text(f'{{"event": "launched", "keys": {json.dumps(keys)}, "da\n')  # by a kill
        run_grid(grid, InThisProcess(), trainer.home / "logs")
    with other.at():
        run_grid(compose_grid([*arguments, NOWHERE]), Nowhere(), other.home / "logs")
    for either in (trainer, other):
        with either.at():
            found = looks("mnist5k", keys, None, journal.entries())
        assert (found.unknown, found.after_own) == (0, 0)


def test_data_that_are_not_what_their_digest_says_are_not_taken(first, machine):
    driver, shared, _ = first
    with driver.at():
        job = plan(compose(*TINY, "seed=2", NOWHERE, driver.tracking, f"store.uri={shared}"), {})
    node = machine()
    wrong = replace(job, identity=job.identity | {"arrays": "0" * 64})
    with node.at(), pytest.raises(UserError, match="/no/such/folder"):
        train_job(wrong)
    with node.at():
        assert train_job(job).key == job.run.key  # by the digest, in the same place


def test_a_run_without_a_shared_store_is_missed_by_name(first, machine):
    driver, _, _ = first
    node = machine()
    shutil.copytree(driver.root / "data", node.root / "data")
    with driver.at():
        grid = compose_grid([*TINY, *STUDY, "seed=4", driver.tracking])
        launched = run_grid(grid[:1], OnANode(node), driver.home / "logs")
    [error] = launched.failures.values()
    assert isinstance(error, UserError)
    assert "a home of its own, and no store is shared with it" in str(error)


@contextmanager
def in_the_way(path):
    """Let no folder be at a path meanwhile."""
    aside = path.rename(path.with_suffix(".aside")) if path.is_dir() else None
    path.write_text("in the way")
    yield
    path.unlink()
    if aside:
        aside.rename(path)


def test_a_store_that_fails_ends_no_training_and_is_caught_up(
    first, machine, tmp_path, monkeypatch, capfd
):
    monkeypatch.setattr(bundles, "PATIENCE", 0.5)
    driver, _, _ = first
    (tmp_path / "shared").mkdir()
    arguments = [*TINY, "training.epochs=3", f"store.uri={tmp_path / 'shared'}"]
    arguments.append("store.checkpoint_every=0.001")
    with driver.at():
        with in_the_way(tmp_path / "shared" / "runs"):
            run = train(compose(*arguments))
        said = capfd.readouterr().err
        assert "going on without it" in said
        assert "some runs are finished here and not in the shared store" in said
        objects = objects_at(str(tmp_path / "shared"))
        monkeypatch.setattr(store, "save", pytest.fail)  # nothing is trained again
        assert train(compose(*arguments)) == run
    assert [bundle.name for bundle in SharedStore(objects).all("runs")] == [run.key]
    assert SharedStore(objects).all("checkpoints") == []


def test_a_damaged_run_is_trained_again_and_replaced(first, machine, tmp_path, capfd):
    _, shared, run = first
    copied = tmp_path / "copied"
    shutil.copytree(shared, copied)
    [stored] = copied.glob(f"runs/*/{run.key}.*")
    flip(stored)
    other = machine()
    with other.at():
        again = train(compose(*TINY, NOWHERE, f"store.uri={copied}"))
    assert "is damaged and removed" in capfd.readouterr().err
    assert again.weights_digest == run.weights_digest
    assert read_json(again.folder / "timing.json") != read_json(run.folder / "timing.json")
    [stored] = copied.glob(f"runs/*/{run.key}.*")
    assert os.path.getsize(stored) == int(stored.name.split(".")[2])
