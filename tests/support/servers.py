"""A PostgreSQL cluster and MLflow servers of the tests' own."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import requests

_DEBIAN = Path("/usr/lib/postgresql")
SERVED = "served"  # the folder of artifacts, in a server's
_OWNER = "postgres"  # whom the cluster belongs to where this is root, as PostgreSQL refuses root
_STARTED_WITHIN = 90  # seconds


def free_port() -> int:
    """Return a port of this machine that nobody listens on.

    It is below those that Linux gives to whoever asks for any, as Ray does all the time.
    """
    while True:
        place = "127.0.0.1", random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(place):
            return place[1]


def programs() -> Path:
    """Return the folder of PostgreSQL's programs; skip the test where there are none."""
    found = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        own = shutil.which("initdb")
        if own is None:
            pytest.skip("PostgreSQL isn't installed")
        found = [Path(own)]
    if os.geteuid() == 0 and not shutil.which("runuser"):
        pytest.skip("PostgreSQL doesn't run as root, and runuser isn't installed")
    return found[-1].parent


class PostgreSQL:
    """A cluster in a folder of its own, which answers on 127.0.0.1 with a password."""

    def __init__(self) -> None:
        self._programs = programs()
        self._folder = Path(tempfile.mkdtemp(prefix="postgresql-"))  # which the owner can enter
        self._port = free_port()
        secret = self._folder / "password"
        secret.write_text("of the tests\n")
        if os.geteuid() == 0:
            shutil.chown(self._folder, _OWNER)
            shutil.chown(secret, _OWNER)
        options = ["--auth=scram-sha-256", "--username=sidebyside", f"--pwfile={secret}"]
        self._do("initdb", *options, "--no-sync")
        self.start()
        self.uri = f"postgresql+psycopg://sidebyside:of%20the%20tests@127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it, also after it was killed."""
        listen = f"-c listen_addresses=127.0.0.1 -c port={self._port} -c max_connections=200"
        options = f"{listen} -c unix_socket_directories={self._folder}"
        log = ["-l", str(self._folder / "log")]
        wait_for(lambda: self._do("pg_ctl", "start", "-w", *log, "-o", options, check=False) == 0)

    def kill(self) -> None:
        """Send SIGKILL to its first process; the others end when they find it gone."""
        number = int((self._folder / "data" / "postmaster.pid").read_text().split()[0])
        first = psutil.Process(number)
        others = first.children()
        first.kill()
        psutil.wait_procs([first, *others], timeout=30)

    def database(self, name: str) -> str:
        """Make a database and return its URI."""
        import psycopg

        with psycopg.connect(
            self.uri.replace("+psycopg", "") + "/postgres", autocommit=True
        ) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return f"{self.uri}/{name}"

    def remove(self) -> None:
        """Stop it and remove its folder."""
        self._do("pg_ctl", "stop", "-m", "immediate", check=False)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _do(self, program: str, *arguments: str, check: bool = True) -> int:
        command = [str(self._programs / program), "-D", str(self._folder / "data"), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", _OWNER, "--", *command]
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.run(command, check=check, cwd=self._folder, **silent).returncode


class MlflowServer:
    """``mlflow server`` over a database, with artifacts that it serves."""

    def __init__(self, database: str, folder: Path, *options: str, **environment: str) -> None:
        self._port = free_port()
        self.uri = f"http://127.0.0.1:{self._port}"
        self._log = folder / "mlflow-server.log"
        self._command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"]
        self._command += ["--port", str(self._port), "--workers", "2", *options]
        self._command += ["--artifacts-destination", str(folder / SERVED)]
        # By the environment, as docs/server.md says: a command line is there for all to read.
        self._environment = os.environ | {
            "MLFLOW_BACKEND_STORE_URI": database,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            **environment,
        }
        self.start()

    def start(self) -> None:
        """Start it, also after it was killed, and wait for its first answer."""
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, env=self._environment, start_new_session=True
            )
        wait_for(self._answers)

    def kill(self) -> None:
        """Send SIGKILL to all its processes."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _answers(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()[-2000:]
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{self.uri}/health", timeout=5).ok
        return False


def wait_for(holds: Callable[[], bool]) -> None:
    """Wait until a server is as it should be."""
    deadline = time.monotonic() + _STARTED_WITHIN
    while not holds():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.2)


@contextlib.contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Run a cluster for a while."""
    cluster = PostgreSQL()
    try:
        yield cluster
    finally:
        cluster.remove()


@contextlib.contextmanager
def mlflow_server(
    database: str, folder: Path, *options: str, **environment: str
) -> Iterator[MlflowServer]:
    """Run a server for a while."""
    server = MlflowServer(database, folder, *options, **environment)
    try:
        yield server
    finally:
        server.kill()
