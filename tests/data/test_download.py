"""Downloads from a real server that behaves well, badly and not at all."""

import gzip
import hashlib
import threading
from collections import Counter
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from sidebyside import UserError
from sidebyside.config.datasets import Dataset, File
from sidebyside.data.download import download
from sidebyside.data.preprocessing import idx

ARRAYS = {
    "train_images": np.arange(6 * 4, dtype=np.uint8).reshape(6, 2, 2),
    "train_labels": np.arange(6, dtype=np.uint8) % 2,
    "test_images": np.arange(4 * 4, dtype=np.uint8).reshape(4, 2, 2),
    "test_labels": np.arange(4, dtype=np.uint8) % 2,
}
CONTENTS = {f"small-{role}": idx.serialise(array) for role, array in ARRAYS.items()}
BOMB = 3_000_000  # bytes of zeros, in 3 kB of gzip


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project that is its own home."""
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(tmp_path))
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(tmp_path))
    return tmp_path


class Server(ThreadingHTTPServer):
    """Serves every file of ``CONTENTS``, in the manner that the first part of the path names."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: Counter[str] = Counter()

    def url(self, manner: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{manner}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        _, manner, *_, name = self.path.split("/")
        self.server.requests[self.path] += 1
        body = gzip.compress(CONTENTS[name.removesuffix(".gz")])
        if manner == "missing":
            self.send_error(404)
        elif (manner == "busy-once" and self.server.requests[self.path] == 1) or manner == "busy":
            self.send_error(503)
        elif manner == "endless":
            self.send_response(200)
            self.end_headers()
            self._forever()
        else:
            length = len(body) + (100 if manner == "cut" else 0)
            if manner == "wrong":
                body = gzip.compress(CONTENTS[name.removesuffix(".gz")][:-1] + b"?")
            if manner == "truncated":
                body = body[:-12]
            if manner == "plain":
                body = CONTENTS[name.removesuffix(".gz")]
            if manner == "bomb":
                body = gzip.compress(bytes(BOMB))
            self.send_response(200)
            self.send_header("Content-Length", str(length if manner == "cut" else len(body)))
            self.end_headers()
            self._send(body)

    def _forever(self) -> None:
        compressor = gzip.compress(np.random.default_rng(0).bytes(1 << 16))
        for _ in range(100_000):
            if not self._send(compressor):
                return

    def _send(self, body: bytes) -> bool:
        try:
            self.wfile.write(body)
        except OSError:  # the other side has had enough, as it should
            return False
        return True

    def log_message(self, *args) -> None:
        pass


@pytest.fixture
def server():
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def dataset(*sources: str) -> Dataset:
    files = {
        role: File(
            name=f"small-{role}",
            bytes=len(CONTENTS[f"small-{role}"]),
            sha256=hashlib.sha256(CONTENTS[f"small-{role}"]).hexdigest(),
        )
        for role in ARRAYS
    }
    return Dataset(name="small", image_shape=[2, 2], classes=2, files=files, sources=list(sources))


def assert_complete(folder) -> None:
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert found == CONTENTS


@pytest.mark.parametrize("manner", ["well", pytest.param("busy-once", marks=pytest.mark.slow)])
def test_a_server_serves(project, server, manner):
    assert_complete(download(dataset(server.url(manner))))


@pytest.mark.parametrize("folder", ["", "small"])
def test_a_mirror_folder_serves(project, tmp_path_factory, monkeypatch, folder):
    mirror = tmp_path_factory.mktemp("mirror")
    (mirror / folder).mkdir(exist_ok=True)
    for name, content in CONTENTS.items():
        (mirror / folder / f"{name}.gz").write_bytes(gzip.compress(content))
    monkeypatch.setenv("SIDEBYSIDE_MIRROR", str(mirror))
    assert_complete(download(dataset()))


def test_a_mirror_url_comes_first(project, server, monkeypatch):
    monkeypatch.setenv("SIDEBYSIDE_MIRROR", server.url("mirror"))
    assert_complete(download(dataset(server.url("well"))))
    assert {path.split("/")[1] for path in server.requests} == {"mirror"}


def test_wrong_bytes_are_named_and_the_next_source_serves(project, server, capsys):
    assert_complete(download(dataset(server.url("wrong"), server.url("well"))))
    assert f"{server.url('wrong')}: serves wrong bytes" in capsys.readouterr().err


@pytest.mark.slow
def test_a_password_in_an_address_is_not_told(project, server, monkeypatch, capsys):
    of_one = [server.url(own).replace("//", "//me:pl4nted@") for own in ("wrong", "missing")]
    monkeypatch.setenv("SIDEBYSIDE_MIRROR", of_one[0])
    with pytest.raises(UserError) as refused:
        download(dataset(of_one[1]))
    said = capsys.readouterr().err
    assert "//me:***@" in said
    assert "serves wrong bytes" in said
    assert "has no small-train_images.gz" in str(refused.value)
    assert "pl4nted" not in said + str(refused.value)


REASONS = {
    "missing": "has no small-train_images.gz",
    "busy": "answers 503",
    "cut": "broke off",
    "truncated": "is truncated after",
    "plain": "sends no gzip file",
    "wrong": "serves wrong bytes",
    "bomb": "decompresses to more than the 40 bytes expected",
    "endless": "more than the",
}


@pytest.mark.slow
def test_when_all_sources_fail_one_message_lists_each(project, server):
    sources = [server.url(manner) for manner in REASONS] + ["http://127.0.0.1:9/nobody"]
    with pytest.raises(UserError) as refused:
        download(dataset(*sources))
    message = str(refused.value)
    for manner, reason in REASONS.items():
        (line,) = [line for line in message.splitlines() if server.url(manner) + ":" in line]
        assert reason in line
    assert "http://127.0.0.1:9/nobody: can't be reached" in message
    assert "SIDEBYSIDE_MIRROR" in message
    assert "dataset=mnist5k" in message
    assert list((project / "data" / "raw" / "small").iterdir()) == []


def test_what_is_there_is_not_fetched_again(project, server):
    download(dataset(server.url("well")))
    before = server.requests.total()
    download(dataset(server.url("well")))
    assert server.requests.total() == before == len(CONTENTS)


def test_a_damaged_file_is_fetched_again(project, server):
    folder = download(dataset(server.url("well")))
    (folder / "small-test_labels").write_bytes(b"damaged")
    assert_complete(download(dataset(server.url("well"))))


def test_another_workspace_takes_what_home_has(project, server, tmp_path_factory, monkeypatch):
    download(dataset(server.url("well")))
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(tmp_path_factory.mktemp("workspace")))
    assert_complete(download(replace(dataset(), sources=[])))
