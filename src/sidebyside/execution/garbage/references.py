"""Which runs something refers to: a study, a report, results, an output of DVC's, a launch."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from sidebyside import paths
from sidebyside.config.compose import compose_grid
from sidebyside.data.arrays import open_arrays
from sidebyside.engine.recipe import DATA_FORMATS
from sidebyside.errors import UserError
from sidebyside.execution.planned import Planned
from sidebyside.execution.running.launches import Launch
from sidebyside.execution.study import first_runs
from sidebyside.files import read_json
from sidebyside.storage.evidence_files import FILE as EVIDENCE


def written() -> set[str]:
    """Return the keys of the runs that results, reports and outputs of DVC's hold."""
    keys: set[str] = set()
    for workspace in _workspaces():
        for path in (workspace / "results").glob("*/*/*/study.json"):
            with suppress(OSError, ValueError, KeyError, TypeError):
                keys |= {run["key"] for run in read_json(path)["runs"]}
        for path in (workspace / "results").glob("*/*/*/*"):
            keys.add(path.name)
        for path in (workspace / "reports").glob(f"*/*/{EVIDENCE}"):
            with suppress(OSError, ValueError, KeyError), np.load(path) as arrays:
                keys |= {_text(key) for key in arrays["key"]}
        keys |= set(_of_dvc(workspace))
    return keys


def launched(launches: list[Launch]) -> set[str]:
    """Return the keys of the runs that launches count on."""
    return {key for launch in launches for key in launch.runs}


class Studies:
    """What the studies of ``conf/study/`` ask for today, on every dataset that is prepared.

    Seeds aren't looked at: of a variant that a study has, all are kept. ``keys`` are those of the
    seeds that it asks for.
    """

    def __init__(self) -> None:
        self._asked: dict[str, str] = {}
        self.keys: set[str] = set()
        names = sorted(path.stem for path in (paths.root() / "conf" / "study").glob("*.yaml"))
        for study in names:
            for dataset in _prepared():
                # A study that can't be composed for a dataset has no runs on it.
                with suppress(UserError):
                    grid = compose_grid([f"study={study}", f"dataset={dataset}"])
                    for job in Planned().add(first_runs(grid)):
                        self._asked.setdefault(_but_for_seed(job.identity), study)
                        self.keys.add(job.run.key)

    def asking(self, identity: Mapping[str, Any]) -> str | None:
        """Return the name of a study that asks for a run like this, None where none does."""
        return self._asked.get(_but_for_seed(identity))


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


def _prepared() -> list[str]:
    folders = (paths.root() / "data" / "processed").glob("*")
    return sorted(
        folder.name
        for folder in folders
        if paths.is_name(folder.name)
        and all(open_arrays(paths.processed(folder.name, own)) for own in DATA_FORMATS)
    )


def _but_for_seed(identity: Mapping[str, Any]) -> str:
    recipe = {name: own for name, own in identity["recipe"].items() if name != "seed"}
    rest = {name: own for name, own in identity.items() if name not in ("recipe", "division")}
    return json.dumps(rest | {"recipe": recipe}, sort_keys=True)


def _text(key: Any) -> str:
    return key.decode() if isinstance(key, bytes) else str(key)
