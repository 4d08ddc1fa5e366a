"""Launches that run now: ``runs/.running/<id>.json``, there as long as a launch is.

Whoever reads them knows what is trained, by which process, and which runs a launch counts on: those
aren't removed meanwhile, see `sidebyside.execution.garbage`.
"""

import os
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sidebyside import paths
from sidebyside.config.schema import Config
from sidebyside.files import read_json, write_json
from sidebyside.redaction import without_passwords
from sidebyside.storage import store
from sidebyside.tracking.liveness import is_alive, is_elsewhere, this_process

_BEAT_EVERY = 60  # seconds
_SILENT_FOR = 7 * 86_400  # seconds after which one of another machine isn't waited for
_LOCK = "launches"  # held while a launch says what it counts on, and while runs are removed


@dataclass(frozen=True)
class RunShown:
    """A run as it is shown.

    Attributes
    ----------
    name : str
    epochs : int
    cost : float
        How long it takes, in any unit; 0 for one that was finished.
    begun : int
        Epochs that were done before the launch.
    """

    name: str
    epochs: int
    cost: float
    begun: int = 0

    def left(self, done: int) -> float:
        """Return the cost of what is left after some epochs."""
        return self.cost * (1 - done / self.epochs)


@dataclass
class Launch:
    """A launch that runs.

    Attributes
    ----------
    id : str
    title : str
        E.g. "study=factorial on dataset=mnist5k".
    process : dict of str
        See `sidebyside.tracking.liveness.this_process`.
    began, trains_since : float
        When it was started, and when its first run was; seconds since 1970.
    runs : dict of RunShown
        By run key.
    failures : dict of str
        The reason of each run that failed, by run key.
    """

    id: str
    title: str
    process: dict[str, str] = field(default_factory=this_process)
    began: float = field(default_factory=time.time)
    trains_since: float | None = None
    runs: dict[str, RunShown] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def add(self, runs: Mapping[str, RunShown]) -> None:
        """Say which runs the launch counts on; none of them is removed from now on."""
        self.runs = {**self.runs, **runs}  # a new one: who looks has that of before
        with store.locked(_LOCK):
            self._write()

    def trains(self) -> None:
        """Say that the first runs begin."""
        self.trains_since = time.time()
        self._write()

    def failed(self, key: str, error: BaseException) -> None:
        """Say that a run failed."""
        lines = str(error).strip().splitlines()
        reason = lines[0] if lines else type(error).__name__
        self.failures = self.failures | {key: without_passwords(reason)}
        self._write()

    def beat(self) -> None:
        """Let other machines, which can't see its process, know that it lives."""
        with suppress(OSError):  # a disk that is away for a moment
            if time.time() - self.path.stat().st_mtime > _BEAT_EVERY:
                os.utime(self.path)

    @property
    def path(self) -> Path:
        """Where it is written down."""
        return _folder() / f"{self.id}.json"

    def _write(self) -> None:
        _folder().mkdir(parents=True, exist_ok=True)
        write_json(self.path, asdict(self))


def title_of(configs: Iterable[Config]) -> str:
    """Return what is launched, e.g. "study=factorial on dataset=mnist5k"."""
    configs = list(configs)
    study = configs[0].study
    datasets = dict.fromkeys(config.dataset.name for config in configs)
    return f"{f'study={study.name} on ' if study else ''}dataset={','.join(datasets)}"


def new_id() -> str:
    """Return an id that no other launch has."""
    return uuid.uuid4().hex[:12]


@contextmanager
def noted(launch: Launch) -> Iterator[Launch]:
    """Let a launch be seen as long as it runs."""
    try:
        yield launch
    finally:
        launch.path.unlink(missing_ok=True)


def running() -> list[Launch]:
    """Return the launches whose processes may live, the oldest first."""
    return sorted((own for own in _all() if _may_live(own)), key=lambda own: own.began)


def named(launches: Sequence[Launch], name: str) -> list[Launch]:
    """Return those whose ids begin so."""
    return [launch for launch in launches if launch.id.startswith(name)]


@contextmanager
def none_begins() -> Iterator[list[Launch]]:
    """Give the launches that run; none begins to count on runs meanwhile."""
    with store.locked(_LOCK):
        yield running()


def dead() -> list[Path]:
    """Return what launches left that were killed."""
    return [own.path for own in _all() if not _may_live(own)]


def _may_live(launch: Launch) -> bool:
    if not is_elsewhere(launch.process):
        return is_alive(launch.process)
    # A machine that has another name since, as a container's, would count as another for good.
    with suppress(OSError):  # it ends in this moment
        return time.time() - launch.path.stat().st_mtime < _SILENT_FOR
    return False


def _all() -> Iterator[Launch]:
    for path in _folder().glob("*.json"):
        with suppress(OSError, ValueError, TypeError, KeyError):  # it ends in this moment
            content = read_json(path)
            runs = {key: RunShown(**own) for key, own in content.pop("runs").items()}
            yield Launch(runs=runs, **content)


def _folder() -> Path:
    return paths.runs() / ".running"
