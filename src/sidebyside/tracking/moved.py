"""Artifacts of a project that was copied or moved: they follow it.

MLflow keeps an experiment's place for artifacts as an absolute address. After ``cp -r`` of a
project the copy would write its artifacts, and its parents' reports, into the old one's folder.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

_FOLDER = "mlartifacts"
_WAIT = 60  # seconds for another process to finish writing
_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def written_elsewhere(database: Path) -> Path | None:
    """Return the folder of another project that a project's database writes artifacts to, if any.

    Parameters
    ----------
    database : pathlib.Path
        ``mlflow.db``, beside which its artifacts belong.
    """
    if not database.is_file():
        return None
    with closing(sqlite3.connect(database, timeout=_WAIT)) as store:
        try:
            found = store.execute("select artifact_location from experiments").fetchall()
        except sqlite3.DatabaseError:  # no tables yet, or damage, which others will name
            return None
    own = database.parent / _FOLDER
    for (location,) in found:
        place = _folder_of(location)
        if place and place.name == _FOLDER and place != own and not _is_same(place, own):
            return place
    return None


def follow_the_project(database: Path) -> Path | None:
    """Let a database that came from another folder keep its artifacts beside itself.

    What was logged before is looked for there too. Nothing else is changed.

    Parameters
    ----------
    database : pathlib.Path

    Returns
    -------
    pathlib.Path or None
        The folder that it would have written to, None where nothing was to be mended.
    """
    before = written_elsewhere(database)
    if before is None:
        return None
    old, new = before.as_uri(), (database.parent / _FOLDER).as_uri()
    with closing(sqlite3.connect(database, timeout=_WAIT)) as store, store:
        for table, column in _COLUMNS:
            moved = f"{column} = ? || substr({column}, ?)"
            whose = f"{column} = ? or substr({column}, 1, ?) = ?"
            store.execute(
                f"update {table} set {moved} where {whose}",  # noqa: S608 - names of our own
                (new, len(old) + 1, old, len(old) + 1, f"{old}/"),
            )
    return before


def _folder_of(location: str | None) -> Path | None:
    """Return the folder that an artifact location names, None where it is no folder."""
    parts = urlsplit(location or "")
    return Path(unquote(parts.path)) if parts.scheme == "file" and not parts.netloc else None


def _is_same(one: Path, other: Path) -> bool:
    """Whether two paths lead to one folder, as where a disk is mounted twice."""
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False
