"""The shared store that a config chooses."""

from functools import cache

from sidebyside.config.schema import Store, Tracking
from sidebyside.errors import UserError
from sidebyside.redaction import without_passwords
from sidebyside.stderr import greetings_hidden
from sidebyside.storage.shared.bundles import SharedStore, forget_cut
from sidebyside.storage.shared.opened import check_usable, objects_at
from sidebyside.storage.shared.runs import SharedRuns

_MLFLOW = "mlflow"  # in place of an address


def shared_runs(settings: Store, tracking: Tracking) -> SharedRuns | None:
    """Return the runs in the shared store of a config, None where there is none.

    Raises
    ------
    UserError
        If its address is none, or can't be used from this machine.
    """
    return None if settings.uri is None else _opened(settings.uri, tracking.uri)


@cache  # what fails is known to all that use it in a process
def _opened(uri: str, tracking_uri: str | None) -> SharedRuns:
    if uri != _MLFLOW:
        return SharedRuns(SharedStore(objects_at(uri)))
    with greetings_hidden():
        from sidebyside.tracking.artifact_store import Artifacts
    return SharedRuns(SharedStore(Artifacts(tracking_uri)))


def check(settings: Store, tracking: Tracking) -> None:
    """Raise a UserError where there is to be a shared store, and it can't be read and written."""
    runs = shared_runs(settings, tracking)
    if runs is None:
        return
    if settings.uri == _MLFLOW:
        _check_server(str(tracking.uri))
    check_usable(runs.shared)
    forget_cut()


def _check_server(uri: str) -> None:
    """Raise a UserError where a server doesn't answer, which MLflow would wait for."""
    import requests

    from sidebyside.tracking.reachable import check_reachable, reason_of

    try:
        check_reachable(uri)
    except requests.RequestException as error:
        raise UserError(
            without_passwords(
                f"The shared store is that of the MLflow server {uri}, which can't be reached "
                f"({reason_of(error)}). Start it, or set store.uri to another one or to null."
            )
        ) from None
