"""Whether a committed report is what its evidence makes, digest by digest and file by file."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sidebyside import paths
from sidebyside.config.compose import compose_config
from sidebyside.config.datasets import Dataset
from sidebyside.config.validate import check_dataset, check_study
from sidebyside.errors import UserError
from sidebyside.report.compare import compare_study
from sidebyside.storage.evidence import Evidence
from sidebyside.storage.evidence_files import FILE, committed
from sidebyside.storage.keys import run_key
from sidebyside.verify.bits import differences

COSTS = "costs.json"
_PAGE = "report.html"  # names the commit and the machine that made it, and isn't committed
_COPIED = (FILE, COSTS)  # what a report is made from; times never come out the same
_CONFIG = ("conf", "params.yaml")
_LABELS = 2049  # what an IDX file of labels begins with
_SHOWN = 3  # files that a sentence names


def reports() -> list[tuple[str, str]]:
    """Return dataset and study of each folder of a report, with evidence or without."""
    folder = paths.root() / "reports"
    found = {
        path.parent for name in (FILE, "comparison.json") for path in folder.glob(f"*/*/{name}")
    }
    return [(path.parent.name, path.name) for path in sorted(found)]


def rebuild(dataset: str, study: str) -> tuple[int, list[str]]:
    """Return how many files a committed report has, and what of it isn't as its evidence says.

    The report is made anew in a temporary folder, from copies of all committed evidence, as the
    report of one study may draw upon another's.
    """
    folder = paths.reports(dataset, study)
    try:
        evidence = committed(dataset, study)
        if evidence is None:
            return 0, [f"it has no {FILE}"]
        config = compose_config([f"study={study}", f"dataset={dataset}"])
        wrong = wrong_digests(evidence, check_dataset(config))
        with _elsewhere() as root, redirect_stdout(StringIO()):
            compare_study(check_dataset(config), check_study(config), allow_partial=True)
            before, after = _files(folder), _files(root / "reports" / dataset / study)
    except UserError as error:
        return 0, [str(error)]
    differing = [name for name in sorted(before | after) if before.get(name) != after.get(name)]
    told = [_told(name, before.get(name), after.get(name)) for name in differing[:_SHOWN]]
    if more := len(differing) - len(told):
        told.append(f"{more} more files differ")
    return len(before), wrong + told


def wrong_digests(evidence: Evidence, dataset: Dataset) -> list[str]:
    """Return what in evidence isn't what the digests in it, or those of the dataset, stand for."""
    wrong = []
    for run in evidence.runs:
        name = f"run {run.key[:12]} ({run.variant},seed={run.seed})"
        if run_key(run.identity) != run.key:
            wrong.append(f"{name} has another key than its recipe, data, code and environment make")
        if run.digests and run.digests[-1] != run.weights_digest:
            wrong.append(f"{name} has two digests of its weights")
    labels = dataset.files.get("test_labels" if evidence.folds == 1 else "train_labels")
    if labels and not Path(labels.name).suffix:  # else the digest is of the compressed file
        head = _LABELS.to_bytes(4, "big") + len(evidence.target).to_bytes(4, "big")
        if hashlib.sha256(head + evidence.target.tobytes()).hexdigest() != labels.sha256:
            wrong.append(f"the classes of its images aren't those of dataset={dataset.name}")
    return wrong


@contextmanager
def _elsewhere() -> Iterator[Path]:
    """Let a folder with the configs and all evidence be the project, and the home, for a while."""
    names, project = ("SIDEBYSIDE_ROOT", "SIDEBYSIDE_HOME"), paths.root()
    before = {name: os.environ.get(name) for name in names}
    with TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        for name in _CONFIG:
            if (own := project / name).exists():
                (root / name).symlink_to(own.resolve())
        for dataset, study in reports():
            (root / "reports" / dataset / study).mkdir(parents=True)
            for name in _COPIED:
                if (own := paths.reports(dataset, study) / name).is_file():
                    shutil.copy(own, root / "reports" / dataset / study)
        os.environ |= dict.fromkeys(names, str(root))
        try:
            yield root
        except UserError as error:
            raise UserError(str(error).replace(str(root), str(project))) from None
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def _files(folder: Path) -> dict[str, bytes]:
    """Return the content of a report's files by name, without the page and hidden ones."""
    found = (path for path in folder.rglob("*") if path.is_file())
    named = {path.relative_to(folder).as_posix(): path for path in found}
    return {
        name: path.read_bytes()
        for name, path in named.items()
        if name != _PAGE and not path.name.startswith(".")
    }


def _told(name: str, before: bytes | None, after: bytes | None) -> str:
    """Return in words how a file differs from the one that the evidence makes."""
    if before is None:
        return f"{name} is missing"
    if after is None:
        return f"{name} isn't made from the evidence"
    if name == FILE:
        return f"{name} isn't written as its content is"
    if name.endswith(".json"):
        try:
            places = differences(_numbered(json.loads(before)), _numbered(json.loads(after)))
        except ValueError:
            return f"{name} is no JSON"
        return f"{name}: {places[0]}" if places else f"{name} is written differently"
    return f"{name} differs"


def _numbered(content: Any) -> Any:
    """Return JSON types with lists as mappings, so that an entry of one has a place of its own."""
    if isinstance(content, dict):
        return {name: _numbered(value) for name, value in content.items()}
    if isinstance(content, list):
        return {str(number): _numbered(value) for number, value in enumerate(content)}
    return content
