"""What one training takes from other machines, and gives them."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sidebyside.config.datasets import Dataset
from sidebyside.config.schema import Store, Tracking
from sidebyside.data.shared_arrays import fetch_arrays, fetch_by_digest
from sidebyside.engine.recipe import DataFormat
from sidebyside.execution.sharing.opened import shared_runs
from sidebyside.files import remove
from sidebyside.storage import evaluations, store
from sidebyside.storage.shared.interface import StoreError
from sidebyside.storage.shared.leases import turn
from sidebyside.storage.shared.runs import SharedRuns

_STAGED = "leaving"  # beside the checkpoints


class RunExchange:
    """A run's exchange with a shared store; without one, nothing is done.

    A store that fails ends no training: what it hasn't got is given to it when the launch ends.

    Parameters
    ----------
    settings : Store
    tracking : Tracking
        Whose server's artifacts may be the store.
    key : str
        The run key.
    say : callable
        Tells how the run is going.
    """

    def __init__(
        self, settings: Store, tracking: Tracking, key: str, say: Callable[[str], None] = print
    ) -> None:
        self._runs = shared_runs(settings, tracking)
        self._every = settings.checkpoint_every
        self._key = key
        self._say = say

    def fetch_arrays(self, dataset: Dataset, data_format: DataFormat, digest: str) -> None:
        """Take the processed data with this digest, if there are none that were made as they."""
        if self._runs is not None:
            with self._tolerated():
                fetch_arrays(self._runs.shared, dataset, data_format, digest)

    def fetch_to_test(self) -> None:
        """Take the run, which is finished, and the data it was trained on, if they aren't here."""
        if self._runs is None:
            return
        with self._tolerated(), store.locked(self._key):
            run = store.find(self._key)
            if run is None and self._runs.fetch_run(self._key):
                run = store.find(self._key)
            if run is not None:
                recipe, digest = run.recipe, run.identity["arrays"]
                fetch_by_digest(self._runs.shared, recipe.dataset, recipe.data_format, digest)

    @contextmanager
    def turn(self) -> Iterator[bool]:
        """Wait until no other machine is at the run; give whether it has arrived, finished.

        Where it hasn't, the checkpoints of whoever was at it are here, and others are held off.
        """
        if (runs := self._runs) is None:
            yield False
            return
        key = self._key

        def waiting(host: str) -> None:
            self._say(f"waiting for {host}, which is at run {key[:12]}")

        with turn(runs.shared, key, lambda: runs.fetch_run(key), waiting) as arrived:
            if not arrived:
                with self._tolerated():
                    runs.fetch_checkpoints(key)
            yield arrived

    @contextmanager
    def keeping(self, checkpoints: Path) -> Iterator[Callable[[int], None]]:
        """Give what to call once a folder has the checkpoint after an epoch."""
        if self._runs is None:
            yield lambda epoch: None
            return
        with ThreadPoolExecutor(1) as thread:  # training doesn't wait for a slow store
            push = partial(self._push_checkpoint, self._runs)
            yield _Checkpoints(push, checkpoints, self._every, thread).keep

    def push_run(self, trained: bool = False) -> None:
        """Give the run, which is finished; its checkpoints go if it is new or ``trained`` now."""
        if self._runs is not None:
            with self._tolerated():
                if self._runs.push_run(self._key) or trained:
                    self._runs.remove_checkpoints(self._key)

    def fetch_evaluation(self) -> None:
        """Take the run's evaluation, if there is none here."""
        if self._runs is not None and not evaluations.is_evaluated(self._key):
            with self._tolerated():
                self._runs.fetch_evaluation(self._key)

    def push_evaluation(self) -> None:
        """Give the run's evaluation."""
        if self._runs is not None:
            with self._tolerated():
                self._runs.push_evaluation(self._key)

    def _push_checkpoint(self, runs: SharedRuns, staged: Path, epoch: int) -> None:
        with self._tolerated():
            runs.push_checkpoint(self._key, staged, epoch)

    @contextmanager
    def _tolerated(self) -> Iterator[None]:
        try:
            yield
        except StoreError as error:
            self._say(f"warning: the shared store {error}; going on without it")
        except OSError as error:  # no room here for what is on its way
            self._say(f"warning: nothing comes from or goes to the shared store: {error}")


class _Checkpoints:
    """Checkpoints that are put in a shared store beside a training, one at a time."""

    def __init__(
        self,
        push: Callable[[Path, int], None],
        folder: Path,
        every: float,
        thread: ThreadPoolExecutor,
    ) -> None:
        self._push = push
        self._folder = folder
        self._every = every
        self._thread = thread
        self._began = -every
        self._under_way: Future[Any] | None = None

    def keep(self, epoch: int) -> None:
        """Put the checkpoint after an epoch there, unless one is under way or was a moment ago."""
        busy = self._under_way is not None and not self._under_way.done()
        if busy or time.monotonic() - self._began < self._every:
            return
        self._began = time.monotonic()
        staged = self._folder.parent / _STAGED
        remove(staged)
        staged.mkdir()
        for path in self._folder.glob(f"epoch-{epoch:06d}.*"):
            # By link, as the training removes old ones; nobody writes to a checkpoint in place.
            try:
                os.link(path, staged / path.name)
            except OSError:  # a disk without hard links
                shutil.copyfile(path, staged / path.name)
        self._under_way = self._thread.submit(self._pushed, staged, epoch)

    def _pushed(self, staged: Path, epoch: int) -> None:
        try:
            self._push(staged, epoch)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
