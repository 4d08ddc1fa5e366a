"""A study's results in the workspace: what DVC hands from stage to stage."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sidebyside import locations, store
from sidebyside.errors import UserError
from sidebyside.factors import Level
from sidebyside.files import read_json, write_json
from sidebyside.schema import Config
from sidebyside.store import DamagedError, Run

_LIST = "study.json"


@dataclass(frozen=True)
class StudyRun:
    """A run as a study knows it."""

    key: str
    variant: str
    factors: dict[str, Level]
    seed: int


@dataclass(frozen=True)
class StudyResults:
    """What the train stage left: the study's runs, in the order of its grid."""

    dataset: str
    study: str
    runs: list[StudyRun]
    folder: Path

    def load(self, run: StudyRun) -> Run:
        """Return one run, its files verified.

        Raises
        ------
        UserError
            If its files are missing or damaged.
        """
        try:
            return store.load(self.folder / run.key)
        except DamagedError as reason:
            raise UserError(
                f"Run {run.key[:12]} ({run.variant}, seed {run.seed}) among the results is "
                f"damaged: {reason}. Delete {self.folder} and run `dvc repro` again."
            ) from None


def write_train_results(config: Config, runs: Sequence[StudyRun]) -> None:
    """Assemble ``results/<dataset>/<study>/train/`` from the run store, in one step."""
    assert config.study is not None
    folder = locations.results(config.dataset.name, config.study.name, "train")
    unfinished = folder.with_name(".train.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for run in runs:
        store.copy(store.load(locations.runs() / run.key), unfinished / run.key)
    write_json(
        unfinished / _LIST,
        {
            "dataset": config.dataset.name,
            "study": config.study.name,
            "runs": [asdict(run) for run in runs],
        },
    )
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(unfinished, folder)


def read_train_results(dataset: str, study: str) -> StudyResults:
    """Return the results of a study's train stage.

    Raises
    ------
    UserError
        If there are none.
    """
    folder = locations.results(dataset, study, "train")
    try:
        content = read_json(folder / _LIST)
    except (OSError, ValueError):
        raise UserError(
            f"{folder} holds no results of study={study} on dataset={dataset}: run `dvc repro`, "
            f"or python pipelines/train.py -m study={study} dataset={dataset} evaluate=false."
        ) from None
    runs = [StudyRun(**run) for run in content.pop("runs")]
    return StudyResults(runs=runs, folder=folder, **content)
