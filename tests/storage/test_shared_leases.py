"""Leases: one machine at a time is at a run, and none waits for a dead one."""

import json
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from sidebyside.storage.shared import leases
from sidebyside.storage.shared.bundles import SharedStore
from sidebyside.storage.shared.leases import KIND, turn
from sidebyside.storage.shared.opened import objects_at
from support.sweeps import wait_until

KEY = "9f" * 32


@pytest.fixture
def shared(place):
    """A store in an empty place."""
    return SharedStore(place(), patience=2)


def lease_of(shared):
    return json.loads(shared.ask(shared.objects.read, f"{KIND}/9f/{KEY}.json"))


def leave_lease(shared, **said):
    shared.objects.write(f"{KIND}/9f/{KEY}.json", json.dumps(said).encode())


@pytest.mark.slow
def test_others_wait_until_what_one_makes_has_arrived(place, monkeypatch):
    monkeypatch.setattr(leases, "_SETTLES_WITHIN", 3)  # a busy server takes long to write one
    made, waited_for, trained = [], [], []

    def train(number):
        shared = SharedStore(place())
        with turn(shared, KEY, lambda: bool(made), waited_for.append, held=10) as arrived:
            if not arrived:
                trained.append(number)
                time.sleep(3)
                made.append(number)

    threads = [threading.Thread(target=train, args=[number]) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(trained) == 1
    assert trained == made
    # Whose lease it is isn't known while it is being written.
    assert len(waited_for) == 2
    assert set(waited_for) <= {socket.gethostname(), "another machine"}
    assert SharedStore(place()).ask(place().sizes, KIND) == {}


def test_a_lease_is_renewed_while_it_is_held(shared):
    with turn(shared, KEY, lambda: False, print, held=0.3):
        first = lease_of(shared)
        wait_until(lambda: lease_of(shared)["renewed"] > first["renewed"])
        assert lease_of(shared)["owner"] == first["owner"]


def test_a_lease_that_nobody_renews_is_taken_over(shared):
    leave_lease(shared, owner="dead", host="a-node-that-is-gone", renewed=time.time())
    began, waited_for = time.monotonic(), []
    with turn(shared, KEY, lambda: False, waited_for.append, held=0.5) as arrived:
        assert not arrived
        assert lease_of(shared)["owner"] != "dead"
    assert time.monotonic() - began >= 0.5
    assert waited_for == ["a-node-that-is-gone"]


def dead_process():
    """Return the id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize(
    "left",
    [
        lambda: {"owner": "dead", "host": socket.gethostname(), "process": dead_process()},
        lambda: {"owner": "dead", "host": "elsewhere", "renewed": time.time() - 3600},
    ],
    ids=["a process of this machine", "long ago"],
)
def test_a_dead_one_is_not_waited_for(bare_home, folder_store, left):
    shared = SharedStore(objects_at(str(folder_store)))
    leave_lease(shared, **left())
    with turn(shared, KEY, lambda: False, pytest.fail, held=600) as arrived:
        assert not arrived
        assert lease_of(shared)["process"] == os.getpid()


def test_a_store_that_fails_holds_nobody_up(bare_home, folder_store):
    shared = SharedStore(objects_at(str(folder_store)), patience=0)
    (folder_store / KIND).write_text("in the way")
    with turn(shared, KEY, lambda: False, pytest.fail) as arrived:
        assert not arrived
