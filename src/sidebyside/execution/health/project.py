"""Checks of the project: its config, its data, where these come from, git."""

import os
import shutil
import subprocess
from pathlib import Path

import requests

from sidebyside import paths
from sidebyside.config.compose import compose, compose_config
from sidebyside.data.arrays import open_arrays
from sidebyside.engine.recipe import DATA_FORMATS
from sidebyside.errors import UserError
from sidebyside.execution.health.findings import Finding
from sidebyside.execution.jobs import RETRAIN_VARIABLE, retraining
from sidebyside.redaction import without_passwords

_ANSWER_WITHIN = 5  # seconds
_NOT_FOUND = 404


def config() -> Finding:
    """Look whether the config can be composed."""
    try:
        selected = compose_config([]).select
        compose(f"study={selected.study}", f"dataset={selected.dataset}")
    except UserError as error:
        return Finding("wrong", f"{paths.conf()}: {error}", "mend what it names")
    said = f"{paths.conf()}: study={selected.study}, dataset={selected.dataset}"
    if retraining():
        unset = f"unset {RETRAIN_VARIABLE}"
        return Finding("note", f"{said}; {RETRAIN_VARIABLE} is set: all runs train anew", unset)
    return Finding("good", said)


def data() -> Finding:
    """Look whether the selected dataset is prepared."""
    name = compose_config([]).select.dataset
    formats = [own for own in DATA_FORMATS if open_arrays(paths.processed(name, own))]
    if len(formats) == len(DATA_FORMATS):
        return Finding("good", f"{name} is prepared in {' and '.join(formats)}")
    return Finding("good", f"{name} is prepared when it is needed (now: {formats or 'not yet'})")


def mirror() -> Finding:
    """Look whether the mirror of data is there, if one is named."""
    named = os.environ.get("SIDEBYSIDE_MIRROR")
    if not named:
        return Finding("good", "none is named; SIDEBYSIDE_MIRROR may be a folder or an address")
    shown = without_passwords(named)
    unset = "set SIDEBYSIDE_MIRROR to a folder or an address that has the files, or unset it"
    if "://" not in named:
        there = Path(named).is_dir()
        return Finding("good", shown) if there else Finding("wrong", f"no folder {shown}", unset)
    try:
        answer = requests.head(named, timeout=_ANSWER_WITHIN, allow_redirects=True)
    except requests.RequestException as error:
        return Finding("wrong", f"{shown} doesn't answer ({type(error).__name__})", unset)
    if answer.status_code > _NOT_FOUND:
        return Finding("wrong", f"{shown} answers {answer.status_code}", unset)
    return Finding("good", shown)


def git() -> Finding:
    """Look whether git knows who commits, which `dvc exp` needs."""
    if shutil.which("git") is None:
        return Finding("note", "not installed: no `dvc exp`", "install git")
    if _git("rev-parse", "--is-inside-work-tree") != "true":
        return Finding("note", f"{paths.root()} is no repository: no `dvc exp`", "git init")
    missing = [name for name in ("user.name", "user.email") if not _git("config", name)]
    if missing:
        return Finding(
            "note",
            f"{' and '.join(missing)} isn't set: `dvc exp run` will refuse",
            "; ".join(f'git config {name} "..."' for name in missing),
        )
    if not (head := _git("rev-parse", "--short", "--verify", "--quiet", "HEAD")):
        return Finding(
            "note",
            "there is no commit yet: `dvc exp run` will refuse",
            'git add --all && git commit -m "A project"',
        )
    return Finding("good", f"user.name and user.email are set, at {head}")


def _git(*arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - fixed arguments
        ["git", *arguments],  # noqa: S607
        cwd=paths.root(),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()
