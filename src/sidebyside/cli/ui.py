"""``sidebyside ui``: MLflow's UI, for this machine alone."""

import ipaddress
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from sidebyside import paths
from sidebyside.errors import UserError
from sidebyside.redaction import without_passwords

if TYPE_CHECKING:
    from sidebyside.config.schema import Tracking

# Browsers take each name below localhost for this machine. To one of another name than localhost
# and 127.0.0.1 MLflow offers no assistant, and no other MLflow shares what a browser keeps for it.
_NAME = "sidebyside.localhost"
_WAITER = """
import socket, sys, time, webbrowser
host, port, page = sys.argv[1:]
for _ in range(300):
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        time.sleep(0.2)
    else:
        webbrowser.open(page)
        break
"""


@click.command("ui")
@click.option("--port", type=int, default=5000, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="of this machine")
@click.option(
    "--browser/--no-browser", default=True, help="open it in a browser, where there is a desktop"
)
def command(port: int, host: str, browser: bool) -> None:
    """Browse the runs in MLflow, on this machine alone."""
    tracking = _tracking()
    # By the environment: a command line is there for everybody on this machine to read.
    os.environ["MLFLOW_BACKEND_STORE_URI"] = _store(tracking)
    _check_host(host)
    _check_port(host, port)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")  # its jobs aren't ours
    own = f"[{host}]" if ":" in host else host
    address = f"http://{own}:{port}"
    print(f"{address} shows the runs; Ctrl-C ends it.", flush=True)
    if (first := _first_page(f"http://{_NAME}:{port}", tracking)) is not None:
        print(f"What was trained last: {first}", flush=True)
        if browser and _has_desktop():
            _open_when_started(first, own, port)
    server = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port)]
    server += ["--allowed-hosts", _allowed(own)]
    server += ["--cors-allowed-origins", f"http://{_NAME}:*"]
    server += ["--default-artifact-root", (paths.home() / "mlartifacts").as_uri()]
    os.execv(sys.executable, server)  # noqa: S606 - the interpreter that runs this


def _tracking() -> "Tracking | None":
    """Return what the project's config says, None where there is no project."""
    if not paths.is_project(paths.root()):
        return None
    from sidebyside.config.compose import compose_config
    from sidebyside.config.validate import check_tracking

    return check_tracking(compose_config([]))


def _store(tracking: "Tracking | None") -> str:
    named = tracking.uri if tracking else os.environ.get("MLFLOW_TRACKING_URI")
    if named and named.startswith(("http:", "https:")):
        raise UserError(
            f"tracking.uri={without_passwords(named)} has a UI of its own: open it in a browser."
        )
    return named or f"sqlite:///{paths.tracking_database()}"


def _first_page(address: str, tracking: "Tracking | None") -> str | None:
    """Return the link to the view of what was trained last, None where nothing was."""
    if tracking is None:
        return None
    stored = tracking.uri or (paths.home() / "mlflow.db").is_file()
    if not stored and not any(_results()):
        return None
    from sidebyside.tracking.experiment import Experiment
    from sidebyside.tracking.shown.views import link

    experiment = Experiment(tracking)
    experiment.prepare()
    for study, dataset in _results():
        if experiment.find_parent(study, dataset) is None:
            print(
                f"The results of study={study} on dataset={dataset} aren't there: `sidebyside sync "
                f"--study {study} --dataset {dataset}` publishes them.",
                flush=True,
            )
    return link(address, experiment.experiment.experiment_id, experiment.last_shown())


def _results() -> Iterator[tuple[str, str]]:
    """Yield study and dataset of all results in the workspace, which DVC may have restored."""
    for path in sorted((paths.root() / "results").glob("*/*/train/study.json")):
        yield path.parents[1].name, path.parents[2].name


def _has_desktop() -> bool:
    """Whether a browser can show a page here, other than in this very terminal."""
    if sys.platform in ("darwin", "win32"):
        return "SSH_CONNECTION" not in os.environ
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _open_when_started(page: str, host: str, port: int) -> None:
    """Let a process beside the server open a page in a browser once the server answers."""
    waiter = [sys.executable, "-c", _WAITER, host.strip("[]"), str(port), page]
    subprocess.Popen(  # noqa: S603 - the interpreter that runs this
        waiter, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _check_host(host: str) -> None:
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise UserError(
            f"--host {host} would let other machines read and change the runs, as the UI asks for "
            "no login: docs/security.md says how others reach it."
        )


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except (OSError, OverflowError):
        raise UserError(
            f"Port {port} of {host} can't be used, it may be taken: `sidebyside ui --port 5001`, "
            "or make ui PORT=5001."
        ) from None


def _allowed(own: str) -> str:
    """Return by which names a browser may call the UI.

    A name elsewhere that is made to point here, so that its page could read the runs (DNS
    rebinding), isn't among them. The port may be another one, as of a tunnel.
    """
    names = dict.fromkeys(["localhost", _NAME, own])
    # MLflow matches what has a star as a pattern, where a bracket would begin a set.
    patterns = [f"{name.replace('[', '[[]', 1)}:*" for name in names]
    return ",".join([*names, *patterns])
