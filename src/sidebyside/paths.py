"""Where everything lives.

Code, config, data and results belong to a workspace; what has been trained and logged belongs to
the *home*, which all workspaces of a project share.
"""

import os
import re
from pathlib import Path

from sidebyside.errors import UserError

# A name becomes part of a path, so it can neither leave its folder nor hide in it.
NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"

_PACKAGE = Path(__file__).resolve().parent
_CLONE = _PACKAGE.parents[1]


def root() -> Path:
    """Return the root of the workspace whose code is running.

    That is the project around the working directory, else the clone of the code, and for an
    installed package without a project the working directory. A stage script sets
    ``SIDEBYSIDE_ROOT`` to its own project, so that an experiment in a temporary workspace uses the
    code and config found there.
    """
    if named := os.environ.get("SIDEBYSIDE_ROOT"):
        return Path(named)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if is_project(folder):
            return folder
    return _CLONE if (_CLONE / "conf").is_dir() else here


def is_project(folder: Path) -> bool:
    """Whether a folder has what a project of one's own begins with, see ``sidebyside init``."""
    return (folder / "conf").is_dir() and (folder / "params.yaml").is_file()


def conf() -> Path:
    """Return the folder of the configs: the workspace's, else the library's."""
    own = root() / "conf"
    return own if own.is_dir() else library_conf()


def library_conf() -> Path:
    """Return the configs that come with the code, ``pkg://sidebyside.conf`` of a wheel."""
    packaged = _PACKAGE / "conf"
    return packaged if packaged.is_dir() else _CLONE / "conf"


def library_address() -> str:
    """Return the library's configs as Hydra's search path names them."""
    packaged = (_PACKAGE / "conf").is_dir()
    return "pkg://sidebyside.conf" if packaged else f"file://{library_conf()}"


def conf_folders() -> list[Path]:
    """Return where configs are looked for, in this order; a project has its own files only."""
    return list(dict.fromkeys([conf(), library_conf()]))


def conf_file(*names: str) -> Path:
    """Return a file of the configs, which needn't be there: the workspace's, else the library's."""
    found = [folder.joinpath(*names) for folder in conf_folders()]
    return next((path for path in found if path.is_file()), found[0])


def conf_names(group: str) -> list[str]:
    """Return what can be chosen for a config group, sorted."""
    files = (path for folder in conf_folders() for path in (folder / group).glob("*.yaml"))
    return sorted({path.stem for path in files})


def home() -> Path:
    """Return the folder of the run store and the tracking store.

    ``SIDEBYSIDE_HOME`` if set; else DVC's main workspace (``DVC_ROOT``, which DVC also sets inside
    the temporary workspaces of queued experiments); else the root.
    """
    named = os.environ.get("SIDEBYSIDE_HOME") or os.environ.get("DVC_ROOT")
    return Path(named).resolve() if named else root()


def tracking_database() -> Path:
    """Return the tracking store of the home.

    Raises
    ------
    UserError
        If its path has characters that mean something else in the address of a database.
    """
    path = home() / "mlflow.db"
    if wrong := [character for character in "?%" if character in str(path)]:
        raise UserError(
            f"{path} can't be the address of a database, for its {' and '.join(wrong)}: set "
            "SIDEBYSIDE_HOME to a folder without, or MLFLOW_TRACKING_URI to another store."
        )
    return path


def raw(dataset: str) -> Path:
    """Return the folder of a dataset's decompressed IDX files.

    Like all folders here that are called after something: a UserError refuses a name that would
    leave the folder above, and a symbolic link that does.
    """
    return _below(root() / "data" / "raw", checked_name("dataset", dataset))


def processed(dataset: str, data_format: str) -> Path:
    """Return the folder of a dataset's arrays in one data format, see `raw`."""
    names = checked_name("dataset", dataset), checked_name("data_format", data_format)
    return _below(root() / "data" / "processed", *names)


def runs() -> Path:
    """Return the run store."""
    return home() / "runs"


def run(key: str) -> Path:
    """Return the folder of a finished run, see `raw`."""
    return _below(runs(), checked_name("run key", key))


def unfinished_run(key: str) -> Path:
    """Return the folder of a run that is being trained, see `raw`."""
    return _below(runs(), ".unfinished", checked_name("run key", key))


def results(dataset: str, study: str, stage: str) -> Path:
    """Return what ``stage`` ("train" or "evaluate") hands to the stages after it, see `raw`."""
    names = checked_name("dataset", dataset), checked_name("study", study)
    return _below(root() / "results", *names, stage)


def reports(dataset: str, study: str) -> Path:
    """Return the folder of a study's report, see `raw`."""
    names = checked_name("dataset", dataset), checked_name("study", study)
    return _below(root() / "reports", *names)


def is_name(text: str) -> bool:
    """Whether ``text`` may be part of a path."""
    return re.fullmatch(NAME, text) is not None


def checked_name(what: str, name: str) -> str:
    """Return ``name``.

    Raises
    ------
    UserError
        If it isn't a plain name; ``what`` says of what, e.g. "study".
    """
    if not is_name(name):
        raise UserError(
            f"{what}={name} is no name: give one of letters, digits, '.', '_' and '-' that begins "
            "with a letter or digit, as it becomes part of a path."
        )
    return name


def _below(top: Path, *names: str) -> Path:
    path = top.joinpath(*names)
    # The folder above may be a link, to a bigger disk say; what is in it may not lead elsewhere.
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(top)):
        raise UserError(
            f"{path} leads out of {top} by a symbolic link, which isn't followed: remove the link."
        )
    return path
