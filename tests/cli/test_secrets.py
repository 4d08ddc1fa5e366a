"""A planted password: in no file, in no record of MLflow, in no printed line."""

import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import mlflow
import pytest
import requests

from sidebyside import UserError
from sidebyside.config.schema import Tracking
from sidebyside.config.validate import check
from sidebyside.redaction import without_passwords
from sidebyside.storage.results import StudyRun
from sidebyside.tracking.client import Tracker
from sidebyside.tracking.published.contents import Card
from support.processes import run_here as run
from support.projects import TINY, copy_project
from support.servers import free_port

pytestmark = pytest.mark.slow  # each starts commands

PLANTED = "pl4nted"
ELSEWHERE = "els3where"
ENVIRONMENT = {
    "AWS_SECRET_ACCESS_KEY": ELSEWHERE,
    "MLFLOW_TRACKING_USERNAME": "someone",
    "MLFLOW_TRACKING_PASSWORD": ELSEWHERE,
}

# A server with jobs is eight processes, and none of them is for us.
JOBLESS = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


class Tracked:
    """A project of its own, its home and the MLflow server that it logs to."""

    def __init__(self, project, folder, port):
        self.folder, self.project, self.home = folder, project, folder / "home"
        self.uri = f"http://someone:{PLANTED}@127.0.0.1:{port}"
        self.home.mkdir()
        self.said = ""

    def run(self, script, *arguments, code=0, **more):
        command = [sys.executable, str(self.project / "pipelines" / f"{script}.py"), *arguments]
        done = run(command, self.project, self.home, **ENVIRONMENT, **more)
        assert done.returncode == code, done.stderr
        self.said += done.stdout + done.stderr
        return done.stdout + done.stderr

    def files(self):
        """Return all files that the commands and the server wrote, by path."""
        places = [self.folder, *(self.project / name for name in ("results", "reports", "outputs"))]
        found = [path for place in places for path in place.rglob("*") if path.is_file()]
        return {path: path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def tracked(project, tmp_path_factory):
    """A run, a multirun and a report, logged to a server whose URI holds a password."""
    folder, port = tmp_path_factory.mktemp("tracked"), free_port()
    own = copy_project(tmp_path_factory.mktemp("own"))
    os.symlink(project / "data", own / "data")
    (folder / "server").mkdir()
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/server/mlflow.db"]
    command += ["--artifacts-destination", str(folder / "server" / "artifacts")]
    with (
        (folder / "server" / "log.txt").open("w") as log,
        subprocess.Popen(command, cwd=folder, env=JOBLESS, stdout=log, stderr=log) as server,
    ):
        try:
            wait_for(f"http://127.0.0.1:{port}/health", server)
            yield studied(Tracked(own, folder, port))
        finally:
            server.terminate()


def studied(tracked):
    """Return it with a run, a multirun and a report."""
    tracked.run("train", *TINY, "seed=0", f"tracking.uri={tracked.uri}")
    study = ("study=factorial", "model.kernel_size=3", "model.dropout=true", "optimizer=adam")
    sweep = ("-m", *TINY, *study, "data_format=channels_last", "seed=0,1")
    tracked.run("train", *sweep, f"tracking.uri={tracked.uri}")
    tracked.run("compare", "study=factorial", MLFLOW_TRACKING_URI=tracked.uri)
    return tracked


def wait_for(url, server):
    for _ in range(600):
        assert server.poll() is None
        try:
            return requests.get(url, timeout=5).raise_for_status()
        except requests.RequestException:
            time.sleep(0.1)
    raise TimeoutError(url)


def test_a_planted_password_is_written_and_printed_nowhere(tracked):
    files = tracked.files()
    names = {path.name for path in files}
    # What is looked at: configs, logs, results, the report, MLflow's database and artifacts.
    assert {"multirun.yaml", "overrides.yaml", "train.log", "study.json"} <= names
    assert {"comparison.json", "report.html", "mlflow.db", "model_summary.txt"} <= names
    for planted in (PLANTED, ELSEWHERE):
        assert [path for path, content in files.items() if planted.encode() in content] == []
        assert planted not in tracked.said


def test_what_is_written_still_says_which_run_it_was(tracked):
    first, _ = sorted((tracked.home / "outputs" / "run").rglob(".hydra"))
    written = {path.name: path.read_text() for path in first.iterdir()}
    address = tracked.uri.replace(PLANTED, "***")
    assert f"- tracking.uri={address}\n" in written["overrides.yaml"]
    assert "- seed=0\n" in written["overrides.yaml"]
    assert written.keys() == {"config.yaml", "hydra.yaml", "overrides.yaml"}
    (sweep,) = (tracked.home / "outputs" / "multirun").rglob("multirun.yaml")
    assert f"uri: {address}" in sweep.read_text()
    jobs = sorted(sweep.parent.glob("*/.hydra/overrides.yaml"))
    assert ["seed=1" in job.read_text() for job in jobs] == [False, True]


def test_a_value_that_cannot_be_read_is_printed_without_its_password(tracked):
    said = tracked.run("train", f"tracking.uri=postgresql://a:{PLANTED}@h/d?b=c", code=2)
    assert said.startswith("error: tracking.uri=postgresql://a:***@h/d?b=c can't be read")


def test_an_experiment_that_was_deleted_is_named_without_the_password(tracked):
    client = mlflow.MlflowClient(tracked.uri)
    client.delete_experiment(client.create_experiment("gone"))
    with pytest.raises(UserError, match="gone was deleted in http://someone:") as refused:
        Tracker(Tracking(uri=tracked.uri, experiment="gone")).prepare()
    assert PLANTED not in str(refused.value)


class Dropping(BaseHTTPRequestHandler):
    """Answers the check of its health, and breaks every other connection."""

    def do_GET(self) -> None:
        if self.path == "/health":
            self.send_response(200)
            self.end_headers()

    def log_message(self, *args) -> None:
        pass


@pytest.fixture
def dropping():
    """The URI, with a password, of a server that breaks connections."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Dropping) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://someone:{PLANTED}@127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_server_that_breaks_off_is_named_without_its_password(home, dropping, monkeypatch):
    tracker = Tracker(Tracking(uri=dropping, experiment="sidebyside"))
    with pytest.raises(UserError) as refused:
        tracker.prepare()
    assert "ConnectionError" in str(refused.value)
    assert "someone:***@" in str(refused.value)
    assert PLANTED not in str(refused.value)


def test_a_failure_is_recorded_without_passwords(compose, home):
    tracker = Tracker(Tracking(uri=None, experiment="sidebyside"))
    tracker.prepare()
    card = Card(StudyRun("0", "", {}, 0), check(compose()).recipe())
    tracker.end_early(card, "FAILED", f"no answer from http://a:{PLANTED}@h/")
    (report,) = home.rglob("failure.txt")
    assert report.read_text() == "no answer from http://a:***@h/"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("postgresql+psycopg://user:pw@host:5432/db", "postgresql+psycopg://user:***@host:5432/db"),
        ("https://:p@w@host/path?x=1", "https://:***@host/path?x=1"),
        ("mysql://h/db?user=a&password=p%40w&ssl=1", "mysql://h/db?user=a&password=***&ssl=1"),
        ("['https://h/?access_token=abc']", "['https://h/?access_token=***']"),
        ("https://t0k3n@host/path", "https://***@host/path"),
        ("https://h/x?sv=1&sig=a%2Bb&se=2", "https://h/x?sv=1&sig=***&se=2"),
        ("https://h/x?X-Amz-Signature=ab12", "https://h/x?X-Amz-Signature=***"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("auth=abc pass=def", "auth=*** pass=***"),
        ("augmentation.sigma=0.3 author=me bypass=1", None),
        ("postgresql://user@host/db and http://host:5000/x", None),
        ("sqlite:////home/me/mlflow.db", None),
    ],
)
def test_passwords_are_hidden_and_nothing_else(text, hidden):
    assert without_passwords(text) == (hidden or text)


@pytest.mark.parametrize("shows", [["--cfg", "job", "--resolve"], ["--info", "config"], ["--help"]])
def test_a_config_that_is_shown_keeps_its_password(project, home, shows):
    command = [sys.executable, str(project / "pipelines" / "train.py"), *shows]
    command.append(f"tracking.uri='postgresql://u:{PLANTED}@h/db'")
    done = run(command, project, home)
    assert done.returncode == 0, done.stderr
    assert "postgresql://u:***@h/db" in done.stdout
    assert PLANTED not in done.stdout + done.stderr
