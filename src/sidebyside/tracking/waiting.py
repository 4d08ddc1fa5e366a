"""A tracking server that is away for a while is waited for."""

import logging
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import requests
from mlflow.exceptions import MlflowException
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential,
    wait_random,
)

from sidebyside.errors import UserError
from sidebyside.redaction import without_passwords
from sidebyside.tracking.reachable import (
    is_server,
    login_refused,
    login_sentence,
    reason_of,
    status_of,
)
from sidebyside.tracking.signs import answered, waits

P = ParamSpec("P")
T = TypeVar("T")

_PAUSE = wait_exponential(multiplier=0.2, max=5) + wait_random(0, 0.3)  # seconds
_COLLISIONS = ("IntegrityError", "UniqueViolation")  # two writers added the same row at once
_COLLIDES_AT_MOST = 10  # times in a row
_PASSING = (408, 425, 429)  # of the client's errors, those that are gone after a while
_log = logging.getLogger(__name__)
_given_up: set[str] = set()  # by this process, which waits for a server once and not for each run


class AwayError(UserError):
    """A tracking store that doesn't answer any more."""


class Patience:
    """Asks a tracking store, again and again while it is away.

    A request may be made although its answer was lost, so what is asked must do no harm when it is
    asked twice.

    Parameters
    ----------
    uri : str
    seconds : float
        How long a store is waited for; what is a file isn't.
    """

    def __init__(self, uri: str, seconds: float) -> None:
        self._uri = uri
        self._seconds = seconds if is_server(uri) else 0.0
        self._told = False

    def hurry(self) -> None:
        """Wait no more, as after Ctrl-C."""
        self._seconds = 0

    def ask(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what a call to the store returns.

        Raises
        ------
        AwayError
            If it doesn't answer within the time that is waited for it.
        UserError
            If it wants a login.
        """
        away = stop_after_delay(0 if self._uri in _given_up else self._seconds)
        often = stop_after_attempt(_COLLIDES_AT_MOST)
        asking = Retrying(
            retry=retry_if_exception(lambda error: self._is_away(error) or _collides(error)),
            stop=lambda state: (often if _collides(_error_of(state)) else away)(state),
            wait=_PAUSE,
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            answer = asking(call, *args, **kwargs)
        except (MlflowException, requests.RequestException) as error:
            if login_refused(error):
                raise UserError(without_passwords(login_sentence(self._uri, error))) from None
            if not self._is_away(error):
                raise
            _given_up.add(self._uri)
            raise AwayError(self._gone(error)) from None
        self._tell_answer()
        return answer

    def _is_away(self, error: BaseException | None) -> bool:
        status = status_of(error)
        if status is None or not is_server(self._uri) or _collides(error):
            return False
        return status >= 500 or status in _PASSING

    def _tell(self, state: RetryCallState) -> None:
        error = _error_of(state)
        if _collides(error):
            return
        waits()
        if not self._told:
            self._told = True
            _say(
                f"waiting for the tracking store {without_passwords(self._uri)}, at most "
                f"{self._seconds:g} s ({without_passwords(reason_of(error))})"
            )

    def _tell_answer(self) -> None:
        _given_up.discard(self._uri)
        if self._told:
            self._told = False
            answered()
            _say("the tracking store answers again")

    def _gone(self, error: Exception) -> str:
        return without_passwords(
            f"The tracking store {self._uri} doesn't answer any more ({reason_of(error)}); it was "
            f"waited for {self._seconds:g} s (tracking.wait). What is trained is kept: once the "
            "store is there again, the same command publishes it, and so does `sidebyside sync`."
        )


def _error_of(state: RetryCallState) -> Exception:
    assert state.outcome is not None
    error = state.outcome.exception()
    assert isinstance(error, Exception)
    return error


def _collides(error: BaseException | None) -> bool:
    return any(word in str(error) for word in _COLLISIONS)


def _say(line: str) -> None:
    _log.info(line)
    print(line, file=sys.stderr, flush=True)
