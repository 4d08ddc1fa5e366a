"""``sidebyside ui``: MLflow's UI, for this machine alone."""

import ipaddress
import os
import socket
import sys

import click

from sidebyside import paths
from sidebyside.errors import UserError


@click.command("ui")
@click.option("--port", type=int, default=5000, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="of this machine")
def command(port: int, host: str) -> None:
    """Browse the runs in MLflow, on this machine alone."""
    # By the environment: a command line is there for everybody on this machine to read.
    os.environ["MLFLOW_BACKEND_STORE_URI"] = _store()
    _check_host(host)
    _check_port(host, port)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")  # its jobs aren't ours
    own = f"[{host}]" if ":" in host else host
    print(f"http://{own}:{port} shows the runs; Ctrl-C ends it.", flush=True)
    server = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port)]
    server += ["--allowed-hosts", _allowed(own)]
    server += ["--default-artifact-root", (paths.home() / "mlartifacts").as_uri()]
    os.execv(sys.executable, server)  # noqa: S606 - the interpreter that runs this


def _store() -> str:
    named = os.environ.get("MLFLOW_TRACKING_URI")
    if named and named.startswith(("http:", "https:")):
        raise UserError(f"MLFLOW_TRACKING_URI={named} has a UI of its own: open it in a browser.")
    return named or f"sqlite:///{paths.home() / 'mlflow.db'}"


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
            f"Port {port} of {host} can't be used, it may be taken: make ui PORT=5001."
        ) from None


def _allowed(own: str) -> str:
    """Return by which names a browser may call the UI.

    A name elsewhere that is made to point here, so that its page could read the runs (DNS
    rebinding), isn't among them. The port may be another one, as of a tunnel.
    """
    names = dict.fromkeys(["localhost", own])
    # MLflow matches what has a star as a pattern, where a bracket would begin a set.
    patterns = [f"{name.replace('[', '[[]', 1)}:*" for name in names]
    return ",".join([*names, *patterns])
