"""A proxy before a server: it counts requests, lets them wait, asks for a login."""

import base64
import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
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
        self._server = urlsplit(server).netloc
        wanted = login and f"Basic {base64.b64encode(login.encode()).decode()}"

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(own) -> None:
                body = own.rfile.read(int(own.headers.get("Content-Length", 0)))
                if wanted and own.headers.get("Authorization") != wanted:
                    self._answer(own, 401, b"who are you?", {"WWW-Authenticate": "Basic"})
                else:
                    self._pass_on(own, body)

            do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

            def log_message(own, *args) -> None:
                pass

        self._listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._listening.daemon_threads = True
        threading.Thread(target=self._listening.serve_forever, daemon=True).start()
        self.uri = f"http://127.0.0.1:{self._listening.server_port}"

    def close(self) -> None:
        """Listen no more."""
        self._listening.shutdown()
        self._listening.server_close()

    def _pass_on(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        path = urlsplit(request.path).path
        name = path.rpartition("/mlflow/")[2] if "/mlflow/" in path else "artifacts"
        self.asked[f"{request.command} {name}"] += 1
        time.sleep(self.delay)
        connection = http.client.HTTPConnection(self._server, timeout=60)
        headers = {k: v for k, v in request.headers.items() if k.lower() not in ("connection",)}
        connection.request(request.command, request.path, body, headers)
        answer = connection.getresponse()
        self._answer(request, answer.status, answer.read(), dict(answer.getheaders()))
        connection.close()

    @staticmethod
    def _answer(
        request: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]
    ) -> None:
        request.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _OF_THE_CONNECTION:
                request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


@contextmanager
def proxy(server: str, delay: float = 0, login: str | None = None) -> Iterator[Proxy]:
    """Let a proxy stand before a server for a while."""
    standing = Proxy(server, delay, login)
    try:
        yield standing
    finally:
        standing.close()
