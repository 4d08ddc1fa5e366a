"""The one cluster that a process works on: started here, or joined."""

import atexit
import logging
import os
import re
import socket
import sys
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from typing import Any

import ray
from joblib import cpu_count
from ray.exceptions import RayError

from sidebyside.config.launchers import Ray
from sidebyside.environment import gpus_chosen
from sidebyside.errors import UserError
from sidebyside.execution.executors.ray_core.shipping import (
    local_environment,
    shipped_environment,
)
from sidebyside.storage import cards

_ANSWER_WITHIN = 5  # seconds for a port to be open
_CONNECTED_WITHIN = 90  # seconds for Ray behind it, or to be started
_END_WITHIN = 30
_OBJECTS = 2**27  # bytes for what tasks return, which is little
_ADDRESS = re.compile(r"(ray://)?([^:/\s]+):(\d+)")
_SEEN = "CUDA_VISIBLE_DEVICES"


class Cluster:
    """Ray, connected in a thread while others go on.

    The thread is there as long as the connection. Linux ends what a thread has started when that
    ends, and so nothing of a local cluster outlives this process, however it ends.
    """

    def __init__(self, settings: Ray) -> None:
        self._settings = settings
        self._connected: Future[None] = Future()
        self._over = threading.Event()
        self._dashboard: str | None = None
        self._thread = threading.Thread(target=self._hold, daemon=True)
        self._thread.start()
        atexit.register(self.leave)

    @property
    def is_local(self) -> bool:
        """Whether it is started here, and of this machine alone."""
        return self._settings.address is None

    def wait(self) -> None:
        """Wait until it is connected.

        Raises
        ------
        UserError
            If there is no Ray at the address.
        """
        try:
            self._connected.result(_CONNECTED_WITHIN)
        except TimeoutError:
            raise self._refusal(f"no answer within {_CONNECTED_WITHIN} s") from None

    def tell_dashboard(self) -> None:
        """Say once where Ray shows what it does."""
        if self._dashboard:
            print(f"Ray's dashboard: http://{self._dashboard}", file=sys.stderr, flush=True)
            self._dashboard = None

    def serves(self, settings: Ray) -> bool:
        """Whether its nodes will do for settings."""
        if self._connected.done() and self._connected.exception() is not None:
            return False
        own = self._settings
        if own.address is not None or settings.address is not None:
            return own.address == settings.address
        return _cpus(settings) <= _cpus(own) and settings.gpus == own.gpus

    def leave(self) -> None:
        """End a cluster that was started here; leave another one."""
        self._over.set()
        if self._connected.done():
            self._thread.join(_END_WITHIN)
        atexit.unregister(self.leave)

    def _hold(self) -> None:
        try:
            self._connect()
        except BaseException as error:
            self._connected.set_exception(error)
        else:
            self._connected.set_result(None)
            self._over.wait()
        finally:
            ray.shutdown()

    def _connect(self) -> None:
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # it would send statistics to its makers
        os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"  # GPUs are hidden by ourselves
        # It would print half a page for each worker that dies, of which a sentence is said anyway.
        ray._private.worker._worker_logs_enabled = False
        if not self.is_local:
            os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "error")  # a line for each attempt
        warnings.filterwarnings("ignore", module=r"ray\.util\.client")  # says what an error says
        self._check_answers()
        shipped = nullcontext(local_environment()) if self.is_local else shipped_environment()
        try:
            with shipped as environment, _gpus_shown() if self._settings.gpus else nullcontext():
                context = ray.init(
                    self._settings.address or "local",
                    runtime_env=environment,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    **self._of_this_machine(),
                )
        except (RayError, RuntimeError, ValueError, OSError) as error:
            raise self._refusal(str(error).strip().partition("\n")[0]) from None
        self._dashboard = context.dashboard_url

    def _of_this_machine(self) -> dict[str, Any]:
        """Return what a local cluster is made of; nothing for one that is joined."""
        if not self.is_local:
            return {}
        return {
            "num_cpus": _cpus(self._settings),
            "num_gpus": len(cards.places()) if self._settings.gpus else 0,
            "object_store_memory": _OBJECTS,
            "include_dashboard": True,
            "_system_config": {"worker_niceness": 0},  # else whatever runs here goes before runs
        }

    def _check_answers(self) -> None:
        """Raise a UserError where nobody listens, for which Ray itself waits long."""
        address = self._settings.address
        if address is None or address == "auto":
            return
        if (parts := _ADDRESS.fullmatch(address)) is None:
            raise UserError(
                f"hydra.launcher.address={address} is no address of Ray's: give host:port, "
                "ray://host:port, auto, or null to start Ray on this machine."
            )
        try:
            place = parts[2], int(parts[3])
            socket.create_connection(place, timeout=_ANSWER_WITHIN).close()
        except (OSError, OverflowError) as error:
            raise self._refusal(getattr(error, "strerror", None) or str(error)) from None

    def _refusal(self, reason: str) -> UserError:
        if self.is_local:
            return UserError(
                f"Ray can't be started on this machine ({reason.rstrip('.')}): mend that, or "
                "choose hydra/launcher=local."
            )
        return UserError(
            f"hydra.launcher.address={self._settings.address} has no Ray to join "
            f"({reason.rstrip('.')}): start it there by `ray start --head`, name its address, or "
            "set it to null to start Ray on this machine; one that wants a token is joined with "
            "RAY_AUTH_MODE=token. No run was started."
        )


@contextmanager
def _gpus_shown() -> Iterator[None]:
    """Let what is started meanwhile see the GPUs, which this process hides from itself."""
    hidden = os.environ.pop(_SEEN, None)
    if (chosen := gpus_chosen()) is not None:
        os.environ[_SEEN] = chosen
    try:
        yield
    finally:
        os.environ.pop(_SEEN, None)
        if hidden is not None:
            os.environ[_SEEN] = hidden


def _cpus(settings: Ray) -> int:
    """Return how many CPUs a cluster on this machine is to count with, be they there or not."""
    workers = settings.workers or max(1, int(cpu_count() // settings.cpus))
    return max(1, round(workers * settings.cpus))


_joined: list[Cluster] = []  # a process has one, as Ray has it


def join(settings: Ray) -> Cluster:
    """Return the cluster of settings, which may be the one of before; another one is left."""
    if not (_joined and _joined[0].serves(settings)):
        leave()
        _joined[:] = [Cluster(settings)]
    return _joined[0]


def leave() -> None:
    """Leave the cluster of this process, if it has one."""
    while _joined:
        _joined.pop().leave()
