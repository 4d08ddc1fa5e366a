"""Places that several machines reach: a folder, S3, and an MLflow server's artifacts."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sidebyside.storage.shared.interface import Objects
from sidebyside.storage.shared.opened import objects_at
from support.s3 import BUCKET, S3, s3_server
from support.servers import SERVED, mlflow_server

PLACES = [
    "folder",
    pytest.param("s3", marks=[pytest.mark.slow, pytest.mark.cluster]),
    pytest.param("mlflow", marks=[pytest.mark.slow, pytest.mark.cluster]),
]


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """A real S3 server, started once, which the environment names."""
    with s3_server() as server:
        yield server


@pytest.fixture(scope="session")
def mlflow_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the MLflow server keeps what it has."""
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="session")
def mlflow_uri(mlflow_folder: Path, empty_database: Path) -> Iterator[str]:
    """A real MLflow server that serves artifacts, started once."""
    shutil.copy(empty_database, mlflow_folder)
    with mlflow_server(f"sqlite:///{mlflow_folder / empty_database.name}", mlflow_folder) as server:
        yield server.uri


@pytest.fixture
def bare_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without a project, whose data would have to be prepared first."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(home))
    return home


@pytest.fixture
def folder_store(tmp_path: Path) -> Path:
    """An empty folder that machines share."""
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder


@pytest.fixture(params=PLACES)
def place(
    request: pytest.FixtureRequest, bare_home: Path, folder_store: Path
) -> Callable[[], Objects]:
    """A function that opens an empty place once more, as another machine does."""
    if request.param == "folder":
        return lambda: objects_at(folder_store.as_uri())
    if request.param == "s3":
        request.getfixturevalue("s3")
        address = f"s3://{BUCKET}/{uuid.uuid4().hex}"
        return lambda: objects_at(address)
    from sidebyside.tracking.artifact_store import Artifacts

    uri = request.getfixturevalue("mlflow_uri")
    folder = request.getfixturevalue("mlflow_folder")
    shutil.rmtree(folder / SERVED, ignore_errors=True)
    return lambda: Artifacts(uri)
