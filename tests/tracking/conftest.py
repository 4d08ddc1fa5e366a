"""A PostgreSQL cluster and an MLflow server, started once for a module's tests."""

import pytest

from support.servers import mlflow_server, postgresql


@pytest.fixture(scope="module")
def cluster():
    with postgresql() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def server(cluster, tmp_path_factory):
    with mlflow_server(cluster.database("mlflow"), tmp_path_factory.mktemp("server")) as server:
        yield server
