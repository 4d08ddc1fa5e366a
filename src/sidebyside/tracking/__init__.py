"""Runs in MLflow."""

import os

# Read when MLflow is imported, which the modules here do.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # it would print its password too
# MLflow tries again for four minutes, with pauses of up to one, and tells nobody: waiting.py does.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
