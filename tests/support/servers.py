"""Real servers for tests: S3 as moto has it, and MLflow's own with served artifacts."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

BUCKET = "team-store"


class S3:
    """An S3 server on a port of its own, which can be stopped and started again."""

    def __init__(self, port: int = 0) -> None:
        from moto.server import ThreadedMotoServer

        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)

    def start(self) -> None:
        """Begin to answer; what was there before is there."""
        self._server.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.stop()

    @property
    def port(self) -> int:
        """Where it answers."""
        return int(self._server.get_host_and_port()[1])


@contextmanager
def s3_server() -> Iterator[S3]:
    """Start an S3 server with an empty bucket, and name it in the environment."""
    import boto3

    server = S3()
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "someone")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.port}")
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield server
    server.stop()


@contextmanager
def mlflow_server(folder: Path, database: Path) -> Iterator[str]:
    """Start an MLflow server on a copy of a database, artifacts in ``folder``/artifacts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shutil.copy(database, folder / "mlflow.db")
    command = [sys.executable, "-m", "mlflow", "server", "--host=127.0.0.1", f"--port={port}"]
    command += [f"--backend-store-uri=sqlite:///{folder / 'mlflow.db'}", "--workers=1"]
    command += [f"--artifacts-destination={folder / 'artifacts'}"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            command,
            env=os.environ | {"PATH": path},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    uri = f"http://127.0.0.1:{port}"
    try:
        _wait_for(uri, folder / "server.log")
        yield uri
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def _wait_for(uri: str, log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if requests.get(f"{uri}/health", timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())
