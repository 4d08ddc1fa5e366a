"""The MLflow UI of this project's runs, for this machine only."""

import argparse
import os
import socket
import sys

from sidebyside import locations

_HOST = "127.0.0.1"


def main() -> None:
    """Start the MLflow UI and say where it is."""
    parser = argparse.ArgumentParser(prog="python -m sidebyside.ui", description=__doc__)
    parser.add_argument("--port", type=int, default=5000)
    port = parser.parse_args().port
    with socket.socket() as probe:
        # As the server does it: a port that a connection has just left is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except (OSError, OverflowError):
            sys.exit(f"error: Port {port} can't be used, it may be taken: make ui PORT=5001.")
    home = locations.home()
    store = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home / 'mlflow.db'}"
    print(f"http://{_HOST}:{port} shows the runs; Ctrl-C ends it.", flush=True)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")  # its jobs aren't ours
    command = [sys.executable, "-m", "mlflow", "ui", "--host", _HOST, "--port", str(port)]
    command += ["--backend-store-uri", store]
    command += ["--default-artifact-root", (home / "mlartifacts").as_uri()]
    os.execv(sys.executable, command)  # noqa: S606 - the interpreter that runs this


if __name__ == "__main__":
    main()
