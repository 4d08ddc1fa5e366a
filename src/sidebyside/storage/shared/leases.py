"""Who is at a run: of several machines that want to train it, one does and the others wait.

A lease is a small file that whoever holds it renews. It is advice: where a slow machine loses its
own, two train the same bits, and either result will do.
"""

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil

from sidebyside.storage.shared.bundles import SharedStore
from sidebyside.storage.shared.interface import AbsentError, StoreError

KIND = "leases"
HELD = 30.0  # seconds after which a lease that nobody renews is taken over
_LONG_AGO = 600.0  # seconds by which no two machines' clocks differ
_RENEWALS = 3  # in that time
_SETTLES_WITHIN = 0.5  # seconds in which a place that answers at once has a file


@contextmanager
def turn(
    store: SharedStore,
    key: str,
    arrived: Callable[[], bool],
    waiting: Callable[[str], None],
    held: float = HELD,
) -> Iterator[bool]:
    """Wait until no other machine is at a run, and hold others off meanwhile.

    Gives whether the run has arrived, which leaves nothing to do. Where the store fails, nobody is
    waited for.

    Parameters
    ----------
    store : SharedStore
    key : str
        The run key.
    arrived : callable
        Looks whether the run is finished and, if so, takes it.
    waiting : callable
        Told the name of the machine that is waited for, once.
    held : float
        Seconds after which a lease that nobody renews is taken over.
    """
    lease = _Lease(store, key, held)
    try:
        there = arrived() or _wait(lease, arrived, waiting)
    except StoreError:
        there = False
    if there:
        yield True
        return
    try:
        with lease.renewed():
            yield False
    finally:
        lease.give_back()


def _wait(lease: "_Lease", arrived: Callable[[], bool], waiting: Callable[[str], None]) -> bool:
    """Take a lease; return whether the run arrived before that."""
    waited = False
    while not lease.take():
        if not waited:
            waiting(lease.holder)
        waited = True
        time.sleep(lease.held / 10)
        if arrived():
            return True
    # Whoever was waited for may have finished between the last look and the lease.
    if waited and arrived():
        lease.give_back()
        return True
    return False


class _Lease:
    """A lease of this process, held or not; see `turn`."""

    def __init__(self, store: SharedStore, key: str, held: float) -> None:
        self.held = held
        self.holder = "another machine"
        self._store = store
        self._name = f"{KIND}/{key[:2]}/{key}.json"
        self._own = uuid.uuid4().hex
        self._seen: tuple[bytes, float] | None = None
        self._taken = False

    def take(self) -> bool:
        """Take the lease if nobody holds it; return whether it is taken."""
        ask, objects, began = self._store.ask, self._store.objects, time.monotonic()
        created = ask(objects.create, self._name, self._content())
        if not created:
            try:
                other = ask(objects.read, self._name)
            except AbsentError:
                return False  # given back this moment; the next look takes it
            if not self._is_abandoned(other):
                return False
            ask(objects.write, self._name, self._content())
        if not (created and objects.tells_one):
            # Others who do the same at once have written theirs by then, and the last one's stays.
            time.sleep(max(_SETTLES_WITHIN, 3 * (time.monotonic() - began)))
        self._taken = self._is_own()
        return self._taken

    @contextmanager
    def renewed(self) -> Iterator[None]:
        """Renew the lease meanwhile, if it is held."""
        over = threading.Event()

        def renew() -> None:
            while not over.wait(self.held / _RENEWALS):
                with suppress(StoreError, AbsentError):
                    self._store.ask(self._store.objects.write, self._name, self._content())

        thread = threading.Thread(target=renew, daemon=True)
        if self._taken:
            thread.start()
        try:
            yield
        finally:
            over.set()
            if self._taken:
                thread.join()

    def give_back(self) -> None:
        """Let others have the lease, if it is still held."""
        if not self._taken:
            return
        self._taken = False
        with suppress(StoreError, AbsentError):
            if self._is_own():
                self._store.ask(self._store.objects.remove, self._name)

    def _is_own(self) -> bool:
        try:
            content = self._store.ask(self._store.objects.read, self._name)
        except AbsentError:
            return False
        said = _said(content)
        self.holder = str(said.get("host", self.holder))
        return said.get("owner") == self._own

    def _is_abandoned(self, content: bytes) -> bool:
        """Whether a lease hasn't been renewed for too long, by this machine's clock alone."""
        said, now = _said(content), time.monotonic()
        self.holder = str(said.get("host", self.holder))
        if self._seen is None or self._seen[0] != content:
            self._seen = content, now
        if now - self._seen[1] > self.held:
            return True
        if said.get("host") == socket.gethostname() and not _lives(said.get("process")):
            return True
        renewed = said.get("renewed")
        return isinstance(renewed, float) and time.time() - renewed > _LONG_AGO

    def _content(self) -> bytes:
        said = {
            "owner": self._own,
            "host": socket.gethostname(),
            "process": os.getpid(),
            "renewed": time.time(),
        }
        return json.dumps(said).encode()


def _said(content: bytes) -> dict[str, object]:
    try:
        said = json.loads(content)
    except ValueError:  # about to be written
        return {}
    return said if isinstance(said, dict) else {}


def _lives(process: object) -> bool:
    return not isinstance(process, int) or psutil.pid_exists(process)
