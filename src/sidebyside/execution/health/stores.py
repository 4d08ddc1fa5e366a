"""Checks of what a home keeps: the run store, the tracking store, what kills left."""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from sidebyside import paths
from sidebyside.config.compose import compose_config
from sidebyside.config.validate import check_tracking
from sidebyside.errors import UserError
from sidebyside.execution.health.findings import Finding
from sidebyside.execution.running import launches
from sidebyside.files import remove
from sidebyside.redaction import without_passwords
from sidebyside.storage import store

_SQLITE = "sqlite:///"


def run_store() -> Finding:
    """Look whether runs can be written, and how many there are."""
    try:
        store.check_writable()
    except UserError as error:
        return Finding("wrong", str(error), "change the permissions, or set SIDEBYSIDE_HOME")
    count = sum(1 for _ in paths.runs().glob(f"*/{store.CARD}"))
    return Finding("good", f"{count} finished runs in {paths.runs()}")


def leftovers() -> Finding:
    """Look for what launches left that were killed, and runs that were damaged."""
    killed, damaged = launches.dead(), list((paths.runs() / ".damaged").glob("*"))
    if killed:
        return Finding(
            "note",
            f"{len(killed)} launches were killed; the same command again goes on",
            "sidebyside doctor --fix forgets them, and keeps their checkpoints",
            lambda: _forget(killed),
        )
    if damaged:
        said = f"{len(damaged)} damaged runs are kept in {paths.runs() / '.damaged'}"
        return Finding("note", said, "sidebyside gc removes them")
    return Finding("good", f"{len(launches.running())} launches run, none was killed")


def _forget(killed: list[Path]) -> str:
    for path in killed:
        store.forget_launch(path.stem)
        remove(path)
    return f"forgot {len(killed)} launches that were killed"


def tracking() -> Finding:
    """Look whether MLflow's store answers."""
    try:
        uri = check_tracking(compose_config([])).uri
    except UserError as error:
        return Finding("wrong", str(error), "mend tracking in conf/")
    try:
        uri = uri or f"{_SQLITE}{paths.tracking_database()}"
    except UserError as error:
        return Finding("wrong", str(error), "move the project, or set SIDEBYSIDE_HOME")
    if uri.startswith(_SQLITE):
        return _of_file(Path(uri.removeprefix(_SQLITE)))
    if "://" not in uri or uri.startswith("file:"):
        return Finding("good", uri)
    return _of_server(uri)


def artifacts() -> Finding:
    """Look whether a project that was copied or moved keeps its artifacts to itself."""
    from sidebyside.tracking.moved import follow_the_project, written_elsewhere

    database = paths.home() / "mlflow.db"
    elsewhere = written_elsewhere(database)
    if elsewhere is None:
        return Finding("good", "what is logged to this project's MLflow stays in it")

    def follow() -> str:
        follow_the_project(database)
        return f"artifacts are kept beside {database}"

    said = f"artifacts go to {elsewhere}, as this project was copied or moved"
    return Finding("note", said, "sidebyside doctor --fix, or the next launch, mends it", follow)


def _of_file(path: Path) -> Finding:
    if not path.is_file():
        return Finding("good", f"{path} is made by the first run")
    address = f"{path.resolve().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=1)) as database:
            (whole,) = database.execute("pragma quick_check(1)").fetchone()
            (count,) = database.execute("select count(*) from runs").fetchone()
    except sqlite3.Error as error:
        whole, count = str(error), 0
    if whole != "ok":
        return Finding(
            "wrong",
            f"{path} can't be read: {whole}",
            f"mv {path} {path}.damaged; then sidebyside sync publishes each study again",
        )
    return Finding("good", f"{count} runs in {path}")


def _of_server(uri: str) -> Finding:
    from sidebyside.stderr import greetings_hidden

    shown = without_passwords(uri)
    with greetings_hidden():
        from sidebyside.tracking.reachable import check_reachable
    try:
        check_reachable(uri)
    except Exception as error:  # whatever a server or a driver of a database says
        with suppress(ValueError):
            reason = without_passwords(str(error).splitlines()[0]) if str(error) else ""
        said = f"{shown} doesn't answer: {type(error).__name__} {reason}".rstrip()
        return Finding("wrong", said, "start it, or choose another: docs/server.md")
    return Finding("good", shown)
