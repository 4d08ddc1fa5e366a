"""A study's results in the workspace: what its last launch left, and what DVC hands on."""

import os
import shutil
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sidebyside import paths
from sidebyside.config.factors import Level
from sidebyside.config.schema import Config
from sidebyside.errors import UserError
from sidebyside.files import read_json, replaced, write_json
from sidebyside.storage import store
from sidebyside.storage.evaluations import (
    ARRAYS,
    CARD,
    Evaluation,
    load_evaluation,
    stored_evaluation,
)
from sidebyside.storage.evaluations import FOLDER as EVALUATION
from sidebyside.storage.evidence import Evidence
from sidebyside.storage.evidence_files import FILE as EVIDENCE
from sidebyside.storage.evidence_files import read_evidence
from sidebyside.storage.rules import with_earlier
from sidebyside.storage.store import DamagedError, Run

_LIST = "study.json"


@dataclass(frozen=True)
class StudyRun:
    """A run as a study knows it; one ``in_evidence`` is known from committed evidence alone."""

    key: str
    variant: str
    factors: dict[str, Level]
    seed: int
    in_evidence: bool = False

    def __str__(self) -> str:
        return f"{self.variant},seed={self.seed}".lstrip(",")


@dataclass(frozen=True)
class StudyResults:
    """What the train stage left: the study's finished runs, in the order of its grid.

    ``missing`` names those that aren't finished, ``stopping`` is the rule by which seeds were
    added, if by any.
    """

    dataset: str
    study: str
    runs: list[StudyRun]
    missing: list[str]
    stopping: dict[str, Any] | None
    folder: Path

    @property
    def trained(self) -> list[StudyRun]:
        """The runs whose files are here."""
        return [run for run in self.runs if not run.in_evidence]

    def evidence(self) -> Evidence | None:
        """Return the evidence that holds the runs ``in_evidence``, None where none are."""
        path = self.folder / EVIDENCE
        return read_evidence(path) if path.is_file() else None

    def load(self, run: StudyRun, read: Collection[str] | None = None) -> Run:
        """Return one run, its files verified: all of them, or those that are ``read``.

        Raises
        ------
        UserError
            If its files are missing or damaged.
        """
        try:
            return store.load(self.folder / run.key, read)
        except DamagedError as reason:
            raise UserError(
                f"Run {run.key[:12]} ({run.variant}, seed {run.seed}) among the results is "
                f"damaged: {reason}. Delete {self.folder} and run `dvc repro` again."
            ) from None

    def is_evaluated(self, run: StudyRun) -> bool:
        """Whether the evaluate stage left something of one run, be it damaged."""
        return self.evaluated_folder(run).is_dir()

    def evaluation(self, run: StudyRun) -> Evaluation:
        """Return what the evaluate stage left of one run.

        Raises
        ------
        UserError
            If its files are missing or damaged.
        """
        try:
            return load_evaluation(self.evaluated_folder(run))
        except DamagedError as reason:
            raise UserError(
                f"{reason}: delete that folder and run the evaluate stage again."
            ) from None

    def evaluated_folder(self, run: StudyRun) -> Path:
        """Return where the evaluate stage leaves a run's evaluation."""
        return paths.results(self.dataset, self.study, "evaluate") / run.key


def write_train_results(config: Config, runs: Sequence[StudyRun], missing: Sequence[str]) -> None:
    """Assemble ``results/<dataset>/<study>/train/`` from the run store, in one step.

    What is there already isn't touched: a stage of DVC's may be reading it.

    Raises
    ------
    UserError
        If a run isn't whole any more that was found whole before.
    """
    assert config.study is not None
    dataset, study = config.dataset.name, config.study.name
    rule = config.study.stopping()
    content = {
        "dataset": dataset,
        "study": study,
        "runs": [vars(run) for run in runs],
        "missing": list(missing),
        "stopping": rule and with_earlier(dataset, study, rule),
    }
    trained = [run.key for run in runs if not run.in_evidence]
    from_evidence = len(trained) < len(runs)
    place = paths.results(dataset, study, "train")
    runs_folder = paths.runs()  # a path of each run with all its checks takes a second of 10 000
    cards = {key: f"{runs_folder}/{key}/{store.CARD}" for key in trained}
    with _locked(dataset, study):
        same_list = has_results(dataset, study) and _listed(place) == content
        if same_list and not from_evidence and _same_cards(place, cards):
            return
        with replaced(place) as folder:
            for key in trained:
                store.copy(_whole(key), folder / key)
            write_json(folder / _LIST, content)
            if from_evidence:
                # DVC removes compare's outputs before it starts, the committed evidence among them.
                shutil.copyfile(paths.reports(dataset, study) / EVIDENCE, folder / EVIDENCE)


def _whole(key: str) -> Run:
    """Return a finished run; one that is damaged is moved aside, to be trained again."""
    if (run := store.find(key)) is None:
        raise UserError(
            f"Run {key[:12]} isn't whole any more, so results stay as they are: the same command "
            "again trains it."
        )
    return run


def _listed(place: Path) -> Any:
    """Return what is listed there, None where that can't be read."""
    with suppress(OSError, ValueError):
        return read_json(place / _LIST)
    return None


def write_evaluate_results(dataset: str, study: str, keys: Sequence[str]) -> None:
    """Assemble ``results/<dataset>/<study>/evaluate/``, as `write_train_results` does.

    Raises
    ------
    UserError
        If the run store's evaluation of one of the runs isn't what was stored.
    """
    place = paths.results(dataset, study, "evaluate")
    with _locked(dataset, study):
        runs_folder = paths.runs()
        if _same_cards(place, {key: f"{runs_folder}/{key}/{EVALUATION}/{CARD}" for key in keys}):
            return
        with replaced(place) as folder:
            for key in keys:
                evaluation = _whole_evaluation(key)
                destination = folder / key
                destination.mkdir()
                for name in [CARD, *(f"{array}.npy" for array in ARRAYS)]:
                    shutil.copy2(evaluation.folder / name, destination / name)


def _whole_evaluation(key: str) -> Evaluation:
    try:
        return stored_evaluation(key)
    except DamagedError as reason:
        raise UserError(
            f"{reason}: delete that folder, and the same command tests the run again."
        ) from None


def _locked(dataset: str, study: str) -> AbstractContextManager[None]:
    """Hold a study's results: a sweep and a stage of DVC's may end at the same time."""
    return store.locked(f"results-{dataset}-{study}")


def _same_cards(folder: Path, cards: dict[str, str]) -> bool:
    """Whether a folder of results holds these runs and no other, by their cards.

    A card has the digests of all files beside it.
    """
    if not folder.is_dir():
        return False
    with os.scandir(folder) as entries:
        runs = {entry.name for entry in entries if entry.is_dir()}
    return runs == cards.keys() and all(
        _same_content(f"{folder}/{key}/{os.path.basename(card)}", card)
        for key, card in cards.items()
    )


def _same_content(one: str, other: str) -> bool:
    """Whether two files exist and have the same content.

    Size and time decide where both are alike, as they are of a copy: two files of each of 10 000
    runs take seconds to read.
    """
    try:
        about, also = os.stat(one), os.stat(other)
        if about.st_size != also.st_size:
            return False
        if about.st_mtime_ns == also.st_mtime_ns:
            return True
        return Path(one).read_bytes() == Path(other).read_bytes()
    except OSError:
        return False


def has_results(dataset: str, study: str) -> bool:
    """Whether a launch of the study left results in this workspace."""
    return (paths.results(dataset, study, "train") / _LIST).is_file()


def load_study(dataset: str, study: str) -> StudyResults:
    """Return the results of a study's train stage.

    Raises
    ------
    UserError
        If there are none.
    """
    folder = paths.results(dataset, study, "train")
    try:
        content = read_json(folder / _LIST)
        runs = [StudyRun(**run) for run in content.pop("runs")]
        if not all(paths.is_name(run.key) for run in runs):
            raise ValueError("a run's folder is elsewhere")
        return StudyResults(runs=runs, folder=folder, **content)
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(
            f"{folder} holds no results of study={study} on dataset={dataset} that this version "
            "can read: run `dvc repro`, or "
            f"python pipelines/train.py -m study={study} dataset={dataset}."
        ) from None
