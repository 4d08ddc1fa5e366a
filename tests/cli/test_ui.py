"""The UI: for this machine alone, or with names, a login and TLS in front; really started."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from conftest import environment
from sidebyside.cli.ui import main

NAME = "mlflow.example.org"
ADMIN = ("admin", "long enough a password")
LOGIN = {"MLFLOW_FLASK_SERVER_SECRET_KEY": "a secret", "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN[1]}
SEARCH = "/ajax-api/2.0/mlflow/experiments/search"


class Ui:
    """A started UI; requests name the host that a browser would."""

    def __init__(self, project, home, *arguments, **more):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.home, self.log = home, home / "log.txt"
        command = [sys.executable, "-m", "sidebyside.cli.ui", "--port", str(self.port), *arguments]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                env=environment(project, home, MLFLOW_WORKERS="1", **more),
                cwd=home,
                stdout=log,
                stderr=log,
            )

    def wait(self):
        for _ in range(600):
            assert self.process.poll() is None, self.log.read_text()
            try:
                return requests.get(f"http://127.0.0.1:{self.port}/health", timeout=5)
            except requests.ConnectionError:
                time.sleep(0.1)
        raise TimeoutError(self.log.read_text())

    def get(self, host, path="/", **more):
        url = f"http://127.0.0.1:{self.port}{path}"
        return requests.get(url, headers={"Host": host}, timeout=20, **more).status_code

    def post(self, host, origin, **more):
        url = f"http://127.0.0.1:{self.port}{SEARCH}"
        headers = {"Host": host, "Origin": origin}
        body = {"max_results": 5}
        return requests.post(url, headers=headers, json=body, timeout=20, **more).status_code


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home; the UI needs no data."""
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """A plain UI and one for others, started together."""
    project = Path(__file__).resolve().parents[2]
    homes = [tmp_path_factory.mktemp(name) for name in ("plain", "shared")]
    plain = Ui(project, homes[0])
    shared = Ui(project, homes[1], "--allowed-hosts", NAME, **LOGIN)
    try:
        for ui in (plain, shared):
            ui.wait()
        yield plain, shared
    finally:
        for ui in (plain, shared):
            ui.process.terminate()
            ui.process.wait()


def test_a_plain_ui_is_for_this_machine_alone(started):
    plain, _ = started
    assert f"http://127.0.0.1:{plain.port} shows the runs" in plain.log.read_text()
    assert plain.get(f"127.0.0.1:{plain.port}") == 200
    assert plain.get("localhost:8080") == 200  # through a tunnel
    # Another site whose name was made to point here.
    assert plain.get(f"evil.example.com:{plain.port}") == 403
    assert plain.get("localhost.evil.example.com") == 403
    assert plain.post(f"localhost:{plain.port}", "http://evil.example.com") == 403
    assert plain.post(f"localhost:{plain.port}", f"http://localhost:{plain.port}") == 200
    assert listening(plain.port) == {"0100007F"}  # 127.0.0.1, as /proc writes it


def test_a_ui_for_others_asks_for_a_login(started):
    _, shared = started
    assert f"https://{NAME} shows the runs, by way of a server of yours that speaks TLS" in (
        shared.log.read_text()
    )
    assert shared.get(NAME, SEARCH + "?max_results=1") == 401
    assert shared.get(NAME, SEARCH + "?max_results=1", auth=("admin", "password1234")) == 401
    assert shared.get(NAME, SEARCH + "?max_results=1", auth=ADMIN) == 200
    assert shared.get("evil.example.com", auth=ADMIN) == 403
    assert shared.post(NAME, f"https://{NAME}", auth=ADMIN) == 200
    assert shared.post(NAME, f"http://{NAME}", auth=ADMIN) == 403
    assert (shared.home / "basic_auth.db").is_file()
    assert ADMIN[1] not in shared.log.read_text()


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks into /proc")
def test_a_ui_opens_no_pickle_and_shows_no_store_on_its_command_line(started):
    for ui in started:
        process = Path("/proc") / str(ui.process.pid)
        variables = process.joinpath("environ").read_bytes().split(b"\0")
        assert b"MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false" in variables
        assert b"sqlite:" not in process.joinpath("cmdline").read_bytes()


def listening(port):
    """Return the addresses that a port is open on."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    places = [row[1].split(":") for row in rows if row[3] == "0A"]
    return {address for address, number in places if int(number, 16) == port}


NAMED = ("--host", "0.0.0.0", "--allowed-hosts", NAME)


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        (["--host", "0.0.0.0"], LOGIN, "--allowed-hosts mlflow.example.org"),
        (["--host", "192.0.2.1x"], LOGIN, "can't be used"),
        (["--allowed-hosts", "*"], LOGIN, "give each name in full"),
        (["--host", "0.0.0.0", "--allowed-hosts", f"{NAME},*.org"], LOGIN, "each name in full"),
        (NAMED, {}, "needs a secret in MLFLOW_FLASK_SERVER_SECRET_KEY"),
        (NAMED, LOGIN | {"MLFLOW_AUTH_ADMIN_PASSWORD": ""}, "set MLFLOW_AUTH_ADMIN_PASSWORD"),
        (NAMED, LOGIN | {"MLFLOW_AUTH_ADMIN_PASSWORD": "short"}, "12 characters or more"),
        ([], {"MLFLOW_TRACKING_URI": "http://a:secret@h"}, "=http://a:***@h has a UI of its own"),
    ],
)
def test_what_is_missing_is_named(home, monkeypatch, capsys, arguments, variables, words):
    monkeypatch.setattr(os, "environ", os.environ.copy() | variables)
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--port", "0"])
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert words in said.err
    assert said.out == ""


@pytest.mark.faults(
    fault="the UI's port already taken",
    lost="nothing",
    repeated="nothing",
    code=2,
    says="can't be used",
)
def test_a_port_that_is_taken_is_named(home, capsys, fault):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit) as ended:
            main(["--port", str(port)])
    assert ended.value.code == fault.code
    assert f"Port {port} of 127.0.0.1 {fault.says}" in capsys.readouterr().err
