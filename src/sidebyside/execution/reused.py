"""Finished runs of a launch, of which MLflow has all.

Who asks for each of 10 000 whether MLflow has it waits for minutes. What a study's parent run was
given whole is noted in ``runs/.published.json``, and isn't asked for again where it is much. To
delete that file does no harm, and another database has other parents.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from sidebyside import paths
from sidebyside.execution.evaluate import scored_by
from sidebyside.execution.jobs import Job, retraining
from sidebyside.files import read_json, write_json
from sidebyside.storage import store

if TYPE_CHECKING:
    from sidebyside.tracking.client import Tracker

FILE = ".published.json"
MANY = 500  # finished runs; of fewer each is asked for, and gets the tag of the launch


class Reused:
    """What a launch does with runs that are finished before it.

    Parameters
    ----------
    tracker : Tracker
    parent : str
        The id of the MLflow run above them.
    launch : str
    """

    def __init__(self, tracker: "Tracker", parent: str, launch: str) -> None:
        self._tracker, self._parent, self._launch = tracker, parent, launch
        self._known: dict[str, dict[str, list[str | None]]] = {}
        with suppress(OSError, ValueError):
            self._known = read_json(paths.runs() / FILE)

    def unpublished(self, jobs: Sequence[Job]) -> list[Job]:
        """Return finished runs but those that were published, where these are many.

        The parent run is told how many those are.
        """
        known = self._known.get(self._parent, {})
        published = {job.run.key for job in jobs if known.get(job.run.key) == _state(job)}
        if len(published) < MANY or retraining():
            return list(jobs)
        for key in published:
            store.announce(self._launch, key)
        from sidebyside.tracking.published.contents import LAUNCH

        said = f"{len(published)} runs were finished and published before"
        self._tracker.tag(self._parent, {f"{LAUNCH}{self._launch}": said})
        return [job for job in jobs if job.run.key not in published]

    def remember(self, jobs: Sequence[Job], told: Collection[str]) -> None:
        """Note that runs of a launch are in MLflow whole, those with the keys that it was told of.

        Those that were noted before stay, unless some of the launch weren't among them: then runs
        of another recipe may have taken the place of theirs, be they finished or not.
        """
        known = self._known.get(self._parent, {})
        now = {job.run.key: _state(job) for job in jobs if job.run.key in told}
        of_parent = known | now if known.keys() >= {job.run.key for job in jobs} else now
        if (len(of_parent) < MANY and not known) or of_parent == known:
            return
        write_json(paths.runs() / FILE, self._known | {self._parent: of_parent})


def _state(job: Job) -> list[str | None]:
    """Return what decides what is published of a finished run, whose key tells of its weights."""
    from sidebyside.tracking.missing import schema

    evaluated = scored_by(job.identity["arrays"]) if job.config.evaluate else None
    return [schema(), evaluated]
