"""The check of the pinned packages, with a database of our own: found, clean, not reachable."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from support.projects import SOURCE

NOWHERE = "http://127.0.0.1:9"
LOCK = "".join(f"{pin} \\\n    --hash=sha256:{'0' * 64}\n" for pin in ("first==1.0", "second==2.0"))


class Database(BaseHTTPRequestHandler):
    """Answers like OSV; the first part of the path says for which package it knows something."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["package"]["name"]
        known = {
            "id": "GHSA-0000-0000-0000",
            "affected": [
                {
                    "package": {"name": asked, "ecosystem": "PyPI"},
                    "ranges": [
                        {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.1"}]}
                    ],
                }
            ],
        }
        answer = {"vulns": [known]} if self.path == f"/{asked}" else {}
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *args) -> None:
        pass


@pytest.fixture(scope="module")
def database():
    with ThreadingHTTPServer(("127.0.0.1", 0), Database) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("/second", 1, "Known vulnerabilities:\n  second 2.0: GHSA-0000-0000-0000, fixed in 2.1"),
        ("/none", 0, "No known vulnerability in 2 packages."),
        ("/missing", 0, "No database of known vulnerabilities can be reached"),
    ],
)
def test_a_vulnerability_is_told_from_a_database_out_of_reach(
    database, tmp_path, path, code, words
):
    (tmp_path / "some.lock").write_text(LOCK)
    # The first database, that of PyPI, is out of reach; the second is ours.
    more = {"https_proxy": NOWHERE, "HTTPS_PROXY": NOWHERE, "no_proxy": "127.0.0.1"}
    done = subprocess.run(
        [sys.executable, str(SOURCE / ".ci" / "audit.py"), str(tmp_path / "some.lock")],
        env=os.environ | more | {"PIP_AUDIT_OSV_URL": database + path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert done.stdout.strip().startswith(words)
