"""``sidebyside init``: a project of one's own."""

import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import click

from sidebyside.cli.projects.laying import (
    check_absent,
    check_module,
    lay_down,
    model_files,
    rendered,
    scripts,
)
from sidebyside.errors import UserError

_MODEL, _STUDY = "my_net", "first"
_HEARD = """{folder} is a project now. In it:

  sidebyside summary model={model}    your network, from {model}.py
  dvc repro                          trains {model} beside conv_pair, and writes the report
  python pipelines/train.py -m model={model} model.filters=8,16 seed=0,1
  sidebyside ui                      the runs in MLflow
  sidebyside add model|dataset|study NAME
"""


@click.command("init", epilog="example: sidebyside init my_project && cd my_project && dvc repro")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
def command(folder: Path) -> None:
    """Make a project of your own in FOLDER, the working directory unless given.

    It holds your own files only: conf/ with a network and a study, the network in a file,
    params.yaml, dvc.yaml and the scripts of its stages. All other configs are the library's. Git
    and DVC are set up where they aren't. Nothing is overwritten.
    """
    folder = folder.resolve()
    check_module(_MODEL, folder)
    files = _files()
    check_absent(folder, files)
    folder.mkdir(parents=True, exist_ok=True)
    _set_up(folder)  # before the files, so that after a failure the same command can be given again
    lay_down(folder, files)
    _ignore(folder / ".gitignore")
    print(_HEARD.format(folder=folder, model=_MODEL))


def _files() -> dict[str, str]:
    names = {"model": _MODEL, "study": _STUDY, "version": version("sidebyside")}
    study = rendered("study.yaml", name=_STUDY, models=[_MODEL, "conv_pair"])
    return {
        **{name: rendered(name, **names) for name in ("dvc.yaml", "params.yaml")},
        "requirements.txt": rendered("requirements.txt", **names),
        **model_files(_MODEL),
        f"conf/study/{_STUDY}.yaml": study,
        **scripts(),
    }


def _ignore(path: Path) -> None:
    """Add what git shouldn't keep to what it ignores already, as in a new repository of a host."""
    before = f"{path.read_text().rstrip()}\n\n" if path.is_file() else ""
    path.write_text(before + rendered("gitignore"))


def _set_up(folder: Path) -> None:
    """Let git and DVC know the folder."""
    git = shutil.which("git")
    above = None
    if git:
        above = _said(folder, git, "rev-parse", "--show-toplevel")
        if above is None:
            _done(folder, git, "init", "-q")
    if not (folder / ".dvcignore").exists():
        (folder / ".dvcignore").write_text(rendered("dvcignore"))
    if (folder / ".dvc").is_dir():
        return
    how = [] if git else ["--no-scm"]
    if above and Path(above).resolve() != folder:
        how = ["--subdir"]
    dvc = [sys.executable, "-m", "dvc"]
    _done(folder, *dvc, "init", "-q", *how)
    _done(folder, *dvc, "config", "-q", "core.analytics", "false")


def _said(folder: Path, *command: str) -> str | None:
    """Return what a command says, None where it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
    return None if done.returncode else done.stdout.strip()


def _done(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        words = " ".join(done.stderr.split())[:300]
        raise UserError(f"`{' '.join(command[-3:])}` failed in {folder}: {words}")
