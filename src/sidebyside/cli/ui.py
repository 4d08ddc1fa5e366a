"""The MLflow UI of this project's runs: for this machine alone, or behind a login."""

import argparse
import importlib.util
import ipaddress
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from sidebyside import paths
from sidebyside.cli.stage import set_environment, user_errors_reported
from sidebyside.errors import UserError

_THIS_MACHINE = "127.0.0.1"
_KEY = "MLFLOW_FLASK_SERVER_SECRET_KEY"
_PASSWORD = "MLFLOW_AUTH_ADMIN_PASSWORD"  # noqa: S105 - the name of a variable
_SHORTEST = 12  # characters of a password, for MLflow
_LOGIN = """[mlflow]
default_permission = READ
database_uri = sqlite:///{users}
admin_username = admin
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Start the MLflow UI and say where it is."""
    options = _parser().parse_args(arguments)
    set_environment(paths.root())
    with user_errors_reported():
        # By the environment: a command line is there for everybody on this machine to read.
        os.environ["MLFLOW_BACKEND_STORE_URI"] = _store()
        _check_port(options.host, options.port)
        if _is_loopback(options.host) and options.allowed_hosts is None:
            allowed = _for_this_machine(options)
        else:
            allowed = _for_others(options)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")  # its jobs aren't ours
    command = [sys.executable, "-m", "mlflow", "server", *allowed]
    command += ["--host", options.host, "--port", str(options.port)]
    command += ["--default-artifact-root", (paths.home() / "mlartifacts").as_uri()]
    os.execv(sys.executable, command)  # noqa: S606 - the interpreter that runs this


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sidebyside.cli.ui", description=__doc__)
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--host", default=_THIS_MACHINE, help="to listen on (default: %(default)s)")
    parser.add_argument(
        "--allowed-hosts",
        metavar="NAMES",
        help="names, with commas, by which other machines reach the UI, which asks for a login",
    )
    return parser


def _store() -> str:
    named = os.environ.get("MLFLOW_TRACKING_URI")
    if named and named.startswith(("http:", "https:")):
        raise UserError(f"MLFLOW_TRACKING_URI={named} has a UI of its own: open it in a browser.")
    return named or f"sqlite:///{paths.home() / 'mlflow.db'}"


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except (OSError, OverflowError):
        raise UserError(
            f"Port {port} of {host} can't be used, it may be taken: make ui PORT=5001."
        ) from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _for_this_machine(options: argparse.Namespace) -> list[str]:
    """Say where the UI is, and return by which names a browser on this machine may call it.

    A name elsewhere that is made to point here, so that its page could read the runs (DNS
    rebinding), isn't among them. The port may be another one, as of a tunnel.
    """
    own = f"[{options.host}]" if ":" in options.host else options.host
    print(f"http://{own}:{options.port} shows the runs; Ctrl-C ends it.", flush=True)
    names = dict.fromkeys(["localhost", own])
    # MLflow matches what has a star as a pattern, where a bracket would begin a set.
    patterns = [f"{name.replace('[', '[[]', 1)}:*" for name in names]
    return ["--allowed-hosts", ",".join([*names, *patterns])]


def _for_others(options: argparse.Namespace) -> list[str]:
    """Say what has to stand in front of the UI, and return what makes MLflow ask for a login.

    Raises
    ------
    UserError
        If the names are missing, or something that the login needs.
    """
    hosts = _names(options)
    _check_login()
    origins = ",".join(f"https://{host}" for host in hosts)
    print(
        f"{origins} shows the runs, by way of a server of yours that speaks TLS and hands requests "
        f"on to port {options.port}: without it, passwords can be read on the way. Ctrl-C ends it.",
        flush=True,
    )
    # Pages of another origin, plain http among them, may change nothing.
    names = ["--allowed-hosts", ",".join(hosts), "--cors-allowed-origins", origins]
    return ["--app-name", "basic-auth", *names]


def _names(options: argparse.Namespace) -> list[str]:
    hosts = [host.strip() for host in (options.allowed_hosts or "").split(",")]
    if not all(hosts) or any(sign in host for host in hosts for sign in "*/"):
        raise UserError(
            f"--host {options.host} --allowed-hosts {options.allowed_hosts or ''} won't do, as "
            "other machines could reach the UI by any name: give each name in full, e.g. "
            "--allowed-hosts mlflow.example.org."
        )
    return hosts


def _check_login() -> None:
    """Make MLflow keep its users at home; a UserError names what its login lacks."""
    users = paths.home() / "basic_auth.db"
    if not os.environ.get(_KEY):
        raise UserError(
            f"A UI for other machines needs a secret in {_KEY}, the same at each start: make it "
            "with python -c 'import secrets; print(secrets.token_hex())'."
        )
    if "MLFLOW_AUTH_CONFIG_PATH" not in os.environ:  # else that file names users and passwords
        if not users.exists() and len(os.environ.get(_PASSWORD, "")) < _SHORTEST:
            raise UserError(
                "A UI for other machines needs a password of its first user, admin: set "
                f"{_PASSWORD} to one of {_SHORTEST} characters or more."
            )
        os.environ["MLFLOW_AUTH_CONFIG_PATH"] = str(_login_file(users))
    if importlib.util.find_spec("flask_wtf") is None:
        raise UserError(
            "A UI for other machines needs a package for its login: pip install -e '.[auth]'."
        )


def _login_file(users: Path) -> Path:
    path = users.with_suffix(".ini")
    path.write_text(_LOGIN.format(users=users))
    return path


if __name__ == "__main__":
    main()
