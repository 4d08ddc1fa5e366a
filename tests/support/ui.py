"""The UI of a home, really started."""

import subprocess
import sys
import time

import requests

from support.projects import environment
from support.servers import free_port

SEARCH = "/ajax-api/2.0/mlflow/experiments/search"


class Ui:
    """A started UI; requests name the host that a browser would."""

    def __init__(self, project, home):
        self.port = free_port()
        self.log = home / "log.txt"
        command = [sys.executable, "-m", "sidebyside.cli.main", "ui", "--port", str(self.port)]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                env=environment(project, home, MLFLOW_WORKERS="1"),
                cwd=home,
                stdout=log,
                stderr=log,
            )

    def wait(self):
        for _ in range(600):
            assert self.process.poll() is None, self.log.read_text()
            try:
                return requests.get(f"http://127.0.0.1:{self.port}/health", timeout=5)
            except requests.RequestException:
                time.sleep(0.1)
        raise TimeoutError(self.log.read_text())

    def get(self, host):
        url = f"http://127.0.0.1:{self.port}/"
        return requests.get(url, headers={"Host": host}, timeout=20).status_code

    def post(self, host, origin):
        url = f"http://127.0.0.1:{self.port}{SEARCH}"
        headers = {"Host": host, "Origin": origin}
        body = {"max_results": 5}
        return requests.post(url, headers=headers, json=body, timeout=20).status_code
