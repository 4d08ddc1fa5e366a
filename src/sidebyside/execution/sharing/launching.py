"""What a launch takes from other machines, and gives them."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sidebyside import paths
from sidebyside.config.schema import Config, Store, Tracking
from sidebyside.data.arrays import open_arrays
from sidebyside.data.shared_arrays import fetch_arrays, push_arrays
from sidebyside.errors import UserError
from sidebyside.execution.sharing.opened import check, shared_runs
from sidebyside.storage import evaluations, store
from sidebyside.storage.evaluations import Evaluation
from sidebyside.storage.shared.interface import StoreError
from sidebyside.storage.shared.runs import SharedRuns
from sidebyside.storage.store import Run

if TYPE_CHECKING:
    from sidebyside.execution.jobs import Job

_AT_A_TIME = 8


class LaunchExchange:
    """A launch's exchange with a shared store; without one, nothing is done.

    Raises
    ------
    UserError
        If there is to be one, and it can't be read and written.
    """

    def __init__(self, settings: Store, tracking: Tracking) -> None:
        check(settings, tracking)
        self._runs = shared_runs(settings, tracking)

    @classmethod
    def before(cls, configs: Sequence[Config]) -> "LaunchExchange":
        """Return the exchange of runs to be planned, whose data are here if others have them."""
        exchange = cls(configs[0].store, configs[0].tracking)
        datasets = {(c.dataset.name, c.data_format): (c.dataset, c.data_format) for c in configs}
        if exchange._runs is not None:
            with _told():
                for dataset, data_format in datasets.values():
                    fetch_arrays(exchange._runs.shared, dataset, data_format)
        return exchange

    def arrived(self, jobs: "Sequence[Job]") -> "list[Job]":
        """Return jobs, once what others have finished of them is here.

        One listing tells what that is. The data of those that are left are given to others.
        """
        if self._runs is not None:
            with _told():
                self._fetch(self._runs, jobs)
                self._give_arrays(self._runs, jobs)
        return list(jobs)

    def bring(self, key: str, evaluated: bool) -> None:
        """Take a run that a worker with a home of its own has trained, or ``evaluated``.

        Raises
        ------
        UserError
            If it doesn't come.
        """
        if self._runs is None:
            raise UserError(
                f"Run {key[:12]} was trained on a machine with a home of its own, and no store is "
                "shared with it: set store.uri, see docs/store.md, and give the same command again."
            )
        with _told():
            _take(self._runs, key)
        if not store.holds(key) or (evaluated and not evaluations.is_evaluated(key)):
            raise UserError(
                f"Run {key[:12]} was trained on another machine and isn't in the shared store "
                f"{self._runs.shared.address}: give the same command again, which takes it from "
                "there or trains it."
            )

    def catch_up(self, keys: Iterable[str]) -> None:
        """Give what the shared store hasn't got of runs that are finished here."""
        if self._runs is None:
            return
        runs = self._runs
        try:
            _each(lambda key: _give(runs, key), runs.lacking(keys))
        except StoreError as error:
            _say(
                f"warning: some runs are finished here and not in the shared store: {error}. The "
                "same command again puts them there."
            )

    def give(self, found: Iterable[Run]) -> None:
        """Give runs, as results have them, and their data, to be tested on other machines."""
        if self._runs is None:
            return
        adopted = [store.adopt(run) for run in found]
        self.catch_up(run.key for run in adopted)
        with _told():
            for name, data_format in {(r.recipe.dataset, r.recipe.data_format) for r in adopted}:
                self._give_arrays_of(self._runs, name, data_format)

    def brought(self, evaluation: Evaluation) -> Evaluation | UserError:
        """Return a worker's evaluation as it is here, where it may be another machine's."""
        key = evaluation.key

        def here() -> Evaluation | None:
            found = evaluations.find_evaluation(key)
            return found if found and found.basis == evaluation.basis else None

        if (found := here()) is None and self._runs is not None:
            with _told(), store.locked(key):
                self._runs.fetch_evaluation(key)
            found = here()
        return found or UserError(
            f"Run {key[:12]} was tested on another machine, and what came out isn't in a store "
            "that is shared with it: set store.uri, see docs/store.md."
        )

    def _fetch(self, runs: SharedRuns, jobs: "Sequence[Job]") -> None:
        absent = [job for job in jobs if _is_absent(job)]
        if not absent:
            return
        finished, evaluated = runs.finished(), runs.evaluated()
        wanted = [
            job.run.key
            for job in absent
            if (not store.holds(job.run.key) and job.run.key in finished)
            or (store.holds(job.run.key) and job.run.key in evaluated)
        ]
        if wanted:
            _say(f"{len(wanted)} of {len(jobs)} runs are in the shared store and come from there.")
            _each(lambda key: _take(runs, key), wanted)

    def _give_arrays(self, runs: SharedRuns, jobs: "Sequence[Job]") -> None:
        left = [job.config for job in jobs if not store.holds(job.run.key)]
        for name, data_format in {(config.dataset.name, config.data_format) for config in left}:
            self._give_arrays_of(runs, name, data_format)

    def _give_arrays_of(self, runs: SharedRuns, dataset: str, data_format: str) -> None:
        if (arrays := open_arrays(paths.processed(dataset, data_format))) is not None:
            push_arrays(runs.shared, arrays)


@contextmanager
def _told() -> Iterator[None]:
    """Go on without a shared store that fails, and say so."""
    try:
        yield
    except StoreError as error:
        _say(f"warning: the shared store {error}; going on without it.")


def _is_absent(job: "Job") -> bool:
    """Whether something of a run isn't here that others may have."""
    key = job.run.key
    return not store.holds(key) or (job.config.evaluate and not evaluations.is_evaluated(key))


def _take(runs: SharedRuns, key: str) -> None:
    with store.locked(key):
        if (store.holds(key) or runs.fetch_run(key)) and not evaluations.is_evaluated(key):
            runs.fetch_evaluation(key)


def _give(runs: SharedRuns, key: str) -> None:
    with store.locked(key):
        if store.find(key) is not None:
            runs.push_run(key)
            runs.push_evaluation(key)
            runs.remove_checkpoints(key)


def _each(do: Callable[[str], None], keys: Sequence[str]) -> None:
    """Do something with runs, several at a time; the first that fails ends it."""
    with ThreadPoolExecutor(_AT_A_TIME) as threads:
        try:
            for _ in threads.map(do, keys):
                pass
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
