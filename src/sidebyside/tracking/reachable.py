"""Whether a tracking store answers, and what to say of one that doesn't."""

import re

import requests
from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request
from sqlalchemy import create_engine

_ANSWER_WITHIN = 5  # seconds
_REFUSED = (401, 403)
_ANSWERS = re.compile(r"too many (\d+) error responses")  # how urllib3 says that there was one


def is_server(uri: str) -> bool:
    """Whether something of its own answers there, and no file of this machine."""
    return not uri.startswith(("sqlite:", "file:")) and "://" in uri


def speaks_http(uri: str) -> bool:
    """Whether it is an MLflow server, and no database."""
    return uri.startswith(("http:", "https:"))


def check_reachable(uri: str) -> None:
    """Raise whatever a server or database answers instead of a connection, without retrying."""
    if speaks_http(uri):
        # By MLflow's own way, which knows of logins and certificates; its words would be long.
        login = get_default_host_creds(uri.rstrip("/"))
        try:
            answer = http_request(
                login, "/health", "GET", max_retries=0, timeout=_ANSWER_WITHIN, retry_codes=()
            )
        except MlflowException as error:
            raise _cause_of(error) or error from None
        answer.raise_for_status()
        return
    engine = create_engine(uri)
    with engine.connect():
        pass
    engine.dispose()


def status_of(error: BaseException | None) -> int | None:
    """Return the HTTP status that an answer had, or would have if there were one."""
    if isinstance(error, MlflowException):
        return int(error.get_http_status_code())
    if isinstance(error, requests.RequestException):
        return error.response.status_code if error.response is not None else 503
    return None


def login_refused(error: BaseException) -> bool:
    """Whether a store wants a login, or another one."""
    return status_of(error) in _REFUSED


def login_sentence(uri: str, error: BaseException) -> str:
    """Return what to say where `login_refused`."""
    return (
        f"The tracking store {uri} refuses the login ({status_of(error)}): set "
        "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, to one "
        "that may read and write there."
    )


def reason_of(error: Exception) -> str:
    """Return the name of an error, and in a line why."""
    error = _cause_of(error) or error
    if answered := _ANSWERS.search(str(error)):
        return f"it answers {answered[1]}"
    name = type(error).__name__
    # What requests says is long and names nothing that the URI doesn't.
    return name if isinstance(error, requests.RequestException) else f"{name}: {first_line(error)}"


def first_line(error: Exception) -> str:
    """Return the first line of an error's message."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else "no reason given"


def _cause_of(error: BaseException) -> requests.RequestException | None:
    """Return what went wrong with the connection, which MLflow puts into an error of its own."""
    cause = error.__cause__ or error.__context__
    return cause if isinstance(cause, requests.RequestException) else None
