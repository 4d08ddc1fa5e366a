"""Machines that die, meet or lose the store they share, each with a home of its own."""

import json
import os
import signal
import sys
import uuid

import mlflow
import pytest

from sidebyside.files import read_json
from sidebyside.storage.shared.bundles import SharedStore
from sidebyside.storage.shared.opened import objects_at
from support.processes import read_until, run_here, start
from support.projects import TINY
from support.s3 import BUCKET
from support.sweeps import keys_in, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

LONG = (*TINY, "training.epochs=12", "evaluate=false", "store.checkpoint_every=0.001")
GOES_ON = "going on after epoch"


class Machine:
    """A home of its own, and commands there."""

    def __init__(self, project, home):
        home.mkdir()
        self.home = home
        self._project = project

    def command(self, store, *more):
        script = str(self._project / "pipelines" / "train.py")
        return [sys.executable, script, *LONG, f"store.uri={store}", *more]

    def train(self, store, *more):
        """Train to the end; return what is said."""
        done = run_here(self.command(store, *more), self._project, self.home)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def started(self, store, *more):
        return start(self.command(store, *more), self._project, self.home)

    @property
    def finished(self):
        """The card and the digest after each epoch of the only run here."""
        (card,) = (self.home / "runs").glob("*/run.json")
        return read_json(card)["weights_digest"], read_json(card.with_name("digests.json"))

    @property
    def events(self):
        """What the journal has, in its order."""
        lines = (self.home / "runs" / "journal.jsonl").read_text().split("\n")
        return [json.loads(line)["event"] for line in lines if line]


@pytest.fixture
def machine(project, tmp_path):
    """A function that gives one more machine."""
    return lambda name: Machine(project, tmp_path / name)


@pytest.mark.faults(
    fault="SIGKILL of a run, whose machine never comes back",
    lost="nothing finished",
    repeated="epochs after the last checkpoint in the shared store, on another machine",
    code=-9,
    says="",
)
def test_another_machine_goes_on_to_the_same_bits(machine, folder_store, fault):
    shared = SharedStore(objects_at(str(folder_store)))
    one, other, undisturbed = machine("one"), machine("other"), machine("undisturbed")
    undisturbed.train("null")
    with one.started(folder_store) as process:
        wait_until(
            lambda: any(b.name[-6:] >= "000003" for b in shared.all("checkpoints")),
            process=process,
        )
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    assert process.returncode == fault.code
    assert not keys_in(one.home)
    assert GOES_ON in other.train(folder_store)
    assert other.finished == undisturbed.finished
    assert other.events == ["begun", "begun", "finished"]  # the first one on the other machine
    assert [bundle.name for bundle in shared.all("runs")] == list(keys_in(other.home))
    assert shared.all("checkpoints") == []
    assert "epoch" not in one.train(folder_store)  # which is back after all
    assert one.finished == undisturbed.finished
    assert one.events == other.events


@pytest.mark.faults(
    fault="two machines that train the same run at once",
    lost="nothing",
    repeated="nothing: one trains it, the other waits and takes it",
    code=0,
    says="epoch 12/12",
)
@pytest.mark.parametrize("place", ["s3", pytest.param("mlflow", marks=pytest.mark.release)])
def test_of_two_machines_at_a_run_one_trains_it(machine, place, request, fault):
    one, other = machine("one"), machine("other")
    if place == "s3":
        request.getfixturevalue("s3")
        arguments = [f"s3://{BUCKET}/{uuid.uuid4().hex}"]
    else:
        uri = request.getfixturevalue("mlflow_uri")
        mlflow.MlflowClient(uri).create_experiment("sidebyside")
        arguments = ["mlflow", f"tracking.uri={uri}"]
    with one.started(*arguments) as process, other.started(*arguments) as beside:
        said = ""
        for each in (process, beside):
            _, errors = each.communicate(timeout=280)
            assert each.returncode == fault.code, errors
            said += errors
    assert said.count(fault.says) == 1
    assert one.finished == other.finished
    assert one.events == other.events == ["begun", "finished"]


@pytest.mark.faults(
    fault="the shared store gone while a run trains",
    lost="nothing",
    repeated="nothing: the same command gives the store what it hasn't got",
    code=0,
    says="some runs are finished here and not in the shared store",
)
def test_a_store_that_is_gone_is_caught_up_with(machine, folder_store, fault):
    one, aside = machine("one"), folder_store.with_name("aside")
    with one.started(folder_store) as process:
        read_until(process.stderr, "epoch 2/12")
        folder_store.rename(aside)
        _, errors = process.communicate(timeout=200)
    assert process.returncode == fault.code, errors
    assert fault.says in errors
    aside.rename(folder_store)
    assert "epoch" not in one.train(folder_store)
    shared = SharedStore(objects_at(str(folder_store)))
    assert {bundle.name for bundle in shared.all("runs")} == keys_in(one.home)
    assert shared.all("checkpoints") == []
