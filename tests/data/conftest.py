"""A project of its own for data that are added to it, and where they come from."""

import gzip
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sidebyside.cli.main import main
from sidebyside.config.datasets import Dataset
from support.formats import composed, draw
from support.projects import SOURCE


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """An empty project that is its own home."""
    root = tmp_path / "workspace"
    root.mkdir()
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(root))
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(root))
    return root


@pytest.fixture
def configs(workspace):
    """The project's configs, to which more can be added."""
    (workspace / "conf").mkdir()
    for path in (SOURCE / "conf").iterdir():
        if path.name != "dataset":
            (workspace / "conf" / path.name).symlink_to(path)
    (workspace / "params.yaml").symlink_to(SOURCE / "params.yaml")
    return Path(shutil.copytree(SOURCE / "conf" / "dataset", workspace / "conf" / "dataset"))


class Server(ThreadingHTTPServer):
    """Serves a folder's files, in the manner that the first part of the path names."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder

    def url(self, manner: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{manner}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        _, manner, name = self.path.split("/", 2)
        path = self.server.folder / name
        if not path.is_file():
            self.send_error(404)
            return
        body = path.read_bytes()
        self.send_response(200)
        if manner == "encoding" and "gzip" in self.headers["Accept-Encoding"]:
            body = gzip.compress(body)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body) + (100 if manner == "cut" else 0)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args) -> None:
        pass


@pytest.fixture
def server(tmp_path):
    with Server(tmp_path / "served") as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def command(configs, capsys):
    """A function that runs the command line and returns its exit code and what it says."""

    def given(*arguments: object) -> tuple[int, str]:
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as ended:
            return ended.code, capsys.readouterr().err
        return 0, capsys.readouterr().out

    return given


@pytest.fixture
def added(command, configs):
    """A function that adds data as ``some`` and returns the dataset that its config describes."""

    def add(place: object) -> Dataset:
        code, said = command("data", "add", place, "--name", "some")
        assert code == 0, said
        assert str(configs / "some.yaml") in said
        return composed("some")

    return add


@pytest.fixture
def zoo(tmp_path):
    """A folder of twelve images of each class."""
    return draw(tmp_path / "zoo", 12)
