"""A proxy before a server: it counts requests, lets them wait, asks for a login."""

import base64
import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_OF_THE_CONNECTION = ("connection", "keep-alive", "transfer-encoding", "content-length")


class Proxy:
    """What stands before a server.

    Parameters
    ----------
    server : str
        Its URI.
    delay : float
        Seconds that each request waits.
    login : str, optional
        ``<user>:<password>`` that is asked for.
    """

    def __init__(self, server: str, delay: float = 0, login: str | None = None) -> None:
        self.delay = delay
        self.asked: Counter[str] = Counter()
        self.server = urlsplit(server).netloc
        self.wanted = login and f"Basic {base64.b64encode(login.encode()).decode()}"
        self._listening = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        self._listening.daemon_threads = True
        threading.Thread(target=self._listening.serve_forever, daemon=True).start()
        self.uri = f"http://127.0.0.1:{self._listening.server_port}"

    def close(self) -> None:
        """Listen no more."""
        self._listening.shutdown()
        self._listening.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Passes a request on, of whatever kind."""

    protocol_version = "HTTP/1.1"

    def __init__(self, proxy: Proxy, *connection) -> None:
        self._proxy = proxy
        super().__init__(*connection)

    def __getattr__(self, name: str):
        if name.startswith("do_"):
            return self._do
        raise AttributeError(name)

    def _do(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self._proxy.wanted and self.headers.get("Authorization") != self._proxy.wanted:
            self._answer(401, b"who are you?", {"WWW-Authenticate": "Basic"})
        else:
            self._pass_on(body)

    def _pass_on(self, body: bytes) -> None:
        path = urlsplit(self.path).path
        name = path.rpartition("/mlflow/")[2] if "/mlflow/" in path else "artifacts"
        self._proxy.asked[f"{self.command} {name}"] += 1
        time.sleep(self._proxy.delay)
        connection = http.client.HTTPConnection(self._proxy.server, timeout=60)
        headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        self._answer(answer.status, answer.read(), dict(answer.getheaders()))
        connection.close()

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _OF_THE_CONNECTION:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args) -> None:
        pass


@contextmanager
def proxy(server: str, delay: float = 0, login: str | None = None) -> Iterator[Proxy]:
    """Let a proxy stand before a server for a while."""
    standing = Proxy(server, delay, login)
    try:
        yield standing
    finally:
        standing.close()
