"""Which runs something refers to: a study, a report, results, an output of DVC's, a launch."""

import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from sidebyside import paths
from sidebyside.config.compose import compose_config, compose_grid
from sidebyside.config.validate import check_study
from sidebyside.data.prepare import prepared
from sidebyside.engine.training.numerics import CLASSES
from sidebyside.errors import UserError
from sidebyside.execution.planned import Planned, Wanted
from sidebyside.execution.running.launches import Launch
from sidebyside.files import read_json
from sidebyside.storage import keys
from sidebyside.storage.evidence_files import FILE as EVIDENCE

_OF_A_MACHINE = ("gpu", "cpu", "numerics")  # parts of a run's environment; others share the home


def written() -> set[str]:
    """Return the keys of the runs that results, reports and outputs of DVC's hold.

    Raises
    ------
    UserError
        If the evidence of a report can't be read.
    """
    known: set[str] = set()
    for workspace in _workspaces():
        for path in (workspace / "results").glob("*/*/*/study.json"):
            with suppress(OSError, ValueError, KeyError, TypeError):
                known |= {run["key"] for run in read_json(path)["runs"]}
        for path in (workspace / "results").glob("*/*/*/*"):
            known.add(path.name)
        for path in (workspace / "reports").glob(f"*/*/{EVIDENCE}"):
            known |= _in_evidence(path)
        known |= set(_of_dvc(workspace))
    return known


def _in_evidence(path: Path) -> set[str]:
    try:
        with np.load(path) as arrays:
            return {_text(key) for key in arrays["key"]}
    except Exception as error:  # whatever a damaged file makes zipfile and numpy raise
        raise UserError(
            f"{path} can't be read ({type(error).__name__}), so nobody knows which runs it needs: "
            "restore it with git, or delete it."
        ) from None


def launched(launches: list[Launch]) -> set[str]:
    """Return the keys of the runs that launches count on."""
    return {key for launch in launches for key in launch.runs}


class Studies:
    """What the studies of ``conf/study/`` ask for today.

    Neither seeds nor data are looked at: of a variant that a study has, all runs are kept, also
    where the data have been deleted.

    Parameters
    ----------
    datasets : collection of str
        Those on which there are runs.

    Raises
    ------
    UserError
        If the file of a study has a mistake.
    """

    def __init__(self, datasets: Collection[str]) -> None:
        self._asked: set[str] = set()
        self.keys: set[str] = set()  # as far as data are prepared
        for study in paths.conf_names("study"):
            for dataset in sorted(datasets):
                chosen = [f"study={study}", f"dataset={dataset}"]
                _check_file(study, chosen)
                # A study that can't be trained on a dataset has no runs on it.
                with suppress(UserError):
                    self._ask(compose_grid(chosen))

    def ask_for(self, identity: Mapping[str, Any]) -> bool:
        """Whether a study asks for a run like this."""
        return _but_for_seed(identity) in self._asked

    def _ask(self, wanted: Sequence[Wanted]) -> None:
        for config, _ in wanted:
            identity = keys.identity(config.recipe(), "", CLASSES[0])  # of whichever class
            self._asked.add(_but_for_seed(identity))
        with_data = [own for own in wanted if prepared(own[0].dataset, own[0].data_format)]
        if with_data:
            self.keys |= {job.run.key for job in Planned().add(with_data)}


def _check_file(study: str, chosen: Sequence[str]) -> None:
    try:
        check_study(compose_config(chosen))
    except UserError as mistake:
        raise UserError(
            f"conf/study/{study}.yaml has a mistake, so nobody knows which runs it needs: {mistake}"
        ) from None


def _workspaces() -> Iterator[Path]:
    """Yield the roots of all workspaces that share this home, as far as this one knows."""
    main = os.environ.get("DVC_ROOT")
    roots = {paths.root(), paths.home(), *([Path(main)] if main else [])}
    for root in roots:
        yield root
        yield from (root / ".dvc" / "tmp" / "exps").glob("*")


def _of_dvc(workspace: Path) -> Iterator[str]:
    """Yield the keys among the files of the results that ``dvc.lock`` names."""
    try:
        stages = yaml.safe_load((workspace / "dvc.lock").read_text())["stages"]
    except (OSError, KeyError, TypeError, yaml.YAMLError):
        return
    for stage in stages.values():
        for out in stage.get("outs", []):
            if str(out.get("path", "")).startswith("results/"):
                digest = str(out.get("md5", ""))
                listed = workspace / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
                with suppress(OSError, ValueError, KeyError):
                    yield from (own["relpath"].split("/")[0] for own in read_json(listed))


def _but_for_seed(identity: Mapping[str, Any]) -> str:
    """Return what all seeds of a variant have in common, on whichever card or processor."""
    recipe = {name: own for name, own in identity["recipe"].items() if name != "seed"}
    environment = {
        name: own for name, own in identity["environment"].items() if name not in _OF_A_MACHINE
    }
    return json.dumps([recipe, environment, identity["sources"]], sort_keys=True)


def _text(key: Any) -> str:
    return key.decode() if isinstance(key, bytes) else str(key)
