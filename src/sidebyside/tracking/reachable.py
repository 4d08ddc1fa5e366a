"""Whether a tracking store answers, and what to say of one that doesn't."""

import requests
from sqlalchemy import create_engine

_ANSWER_WITHIN = 5  # seconds


def check_reachable(uri: str) -> None:
    """Raise whatever a server or database answers instead of a connection, without retrying."""
    if uri.startswith(("http:", "https:")):
        requests.get(f"{uri.rstrip('/')}/health", timeout=_ANSWER_WITHIN).raise_for_status()
        return
    engine = create_engine(uri)
    with engine.connect():
        pass
    engine.dispose()


def reason_of(error: Exception) -> str:
    """Return the name of an error, and in a line why."""
    name = type(error).__name__
    # What requests says is long and names nothing that the URI doesn't.
    return name if isinstance(error, requests.RequestException) else f"{name}: {first_line(error)}"


def first_line(error: Exception) -> str:
    """Return the first line of an error's message."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else "no reason given"
